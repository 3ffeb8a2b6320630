// First 32 bits of the SHA-256 of the sources, set by the Makefile; 0 in builds made without it (Arduino IDE).
#pragma once

#include <stdint.h>

namespace gripper {

#ifdef FIRMWARE_HASH
constexpr uint32_t FIRMWARE_VERSION = FIRMWARE_HASH;
#else
constexpr uint32_t FIRMWARE_VERSION = 0;
#endif

}  // namespace gripper
