#include "firmware.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "../core/device.h"
#include "../core/version.h"
#include "clock.h"
#include "host_uart.h"
#include "servo_uart.h"
#include "settings.h"

namespace gripper {

namespace {

HostUart host;
ServoUart servo;
CaptureButton button;
EepromSettings settings;

// Wakes the main loop every 200 us, if nothing else does: timer 2 counts to 50 at 250 kHz.
void tick_begin() {
  TCCR2A = _BV(WGM21);
  TCCR2B = _BV(CS22);
  OCR2A = 49;
  TIMSK2 = _BV(OCIE2A);
}

Device &device() {
  static Device instance(host, servo, button, settings,
                         {FIRMWARE_VERSION, count_boot(), reset_cause(), load_stops()});
  return instance;
}

}  // namespace

void firmware_begin() {
  TIMSK0 = 0;  // Arduino's millisecond interrupt: unused here, and every interrupt delays the others
  host.begin();
  servo.begin();
  clock_begin();
  tick_begin();
  Device &d = device();  // counting the boot in EEPROM takes milliseconds: only then is it now
  d.begin(now_us());
  wdt_enable(WDTO_250MS);
}

void firmware_poll() {
  wdt_reset();
  device().poll(now_us());
  set_sleep_mode(SLEEP_MODE_IDLE);
  sleep_mode();
}

}  // namespace gripper

EMPTY_INTERRUPT(TIMER2_COMPA_vect)
