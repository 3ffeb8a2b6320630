// The device on an ATmega2560.
#pragma once

namespace gripper {

void firmware_begin();
void firmware_poll();

}  // namespace gripper
