// Counters that stop at their largest value instead of starting anew.
#pragma once

#include <stdint.h>

namespace gripper {

inline void count_up(uint16_t &counter) {
  if (counter != 0xFFFF) counter++;
}

inline void count_up(uint8_t &counter) {
  if (counter != 0xFF) counter++;
}

}  // namespace gripper
