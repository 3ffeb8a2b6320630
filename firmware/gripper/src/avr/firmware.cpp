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

// Arduino's millisecond interrupt and PWM, timers 0, 1, 3 and 4: unused here. Every interrupt delays the others, and a
// timer that nobody reads costs power (and most of the simulated board's time).
void stop_arduino_timers() {
  TIMSK0 = 0;
  TCCR0B = 0;
  TCCR1B = 0;
  TCCR3B = 0;
  TCCR4B = 0;
}

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
  stop_arduino_timers();
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
