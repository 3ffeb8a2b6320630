// WildGrasp handheld gripper: Arduino Mega 2560, AX-12A servo, push button.
// Wiring, flashing and bring-up: docs/firmware.md.
#include "src/avr/firmware.h"

void setup() { gripper::firmware_begin(); }

void loop() { gripper::firmware_poll(); }
