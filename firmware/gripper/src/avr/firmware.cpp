#include "firmware.h"

#include <avr/io.h>
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
  device().begin(now_us());
  wdt_enable(WDTO_250MS);
}

void firmware_poll() {
  wdt_reset();
  device().poll(now_us());
}

}  // namespace gripper
