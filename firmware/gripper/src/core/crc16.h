// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, no reflection; 0x29B1 for "123456789".
#pragma once

#include <stdint.h>

namespace gripper {

inline uint16_t crc16(const uint8_t *bytes, uint8_t count) {
  uint16_t crc = 0xFFFF;
  for (; count; count--) {
    uint8_t x = uint8_t(crc >> 8) ^ *bytes++;
    x ^= uint8_t(x >> 4);
    crc = uint16_t((crc << 8) ^ (uint16_t(x) << 12) ^ (uint16_t(x) << 5) ^ x);
  }
  return crc;
}

}  // namespace gripper
