// Small checked records for EEPROM: 32 bits and their CRC. A record that was being written when power went is seen as none.
#pragma once

#include <stdint.h>

#include "crc16.h"
#include "messages.h"

namespace gripper {

constexpr uint8_t RECORD_SIZE = 6;

inline void encode_record(uint32_t value, uint8_t *record) {
  put_u32(record, value);
  put_u16(record + 4, crc16(record, 4));
}

inline bool decode_record(const uint8_t *record, uint32_t &value) {
  value = get_u32(record);
  return crc16(record, 4) == get_u16(record + 4);
}

// The boot counter is kept in two slots, written in turn: one of them is always whole. Which to write, and what.
struct BootSlot {
  uint8_t slot;
  uint32_t boot_id;
};

inline BootSlot next_boot(const uint8_t *first, const uint8_t *second) {
  uint32_t a = 0, b = 0;
  const bool a_valid = decode_record(first, a);
  const bool b_valid = decode_record(second, b);
  if (a_valid && (!b_valid || a > b)) return {1, a + 1};
  if (b_valid) return {0, b + 1};
  return {0, 1};
}

}  // namespace gripper
