// What survives power: the boot counter and the servo's stops, in EEPROM.
#pragma once

#include <stdint.h>

#include "../core/device.h"

namespace gripper {

class EepromSettings final : public SettingsPort {
 public:
  void save(const Stops &stops) override;
};

// Counts this start; its number.
uint32_t count_boot();
Stops load_stops();
// Why the chip started. The reset flags were saved before anything else ran.
ResetCause reset_cause();

}  // namespace gripper
