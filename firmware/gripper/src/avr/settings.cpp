#include "settings.h"

#include <avr/eeprom.h>
#include <avr/io.h>
#include <avr/wdt.h>

#include "../core/records.h"

namespace gripper {

namespace {

// Addresses in EEPROM. The first byte stays unused: it is the one that a brown-out on old chips may damage.
uint8_t *const BOOT_SLOTS[2] = {reinterpret_cast<uint8_t *>(8), reinterpret_cast<uint8_t *>(16)};
uint8_t *const STOPS = reinterpret_cast<uint8_t *>(24);

uint8_t reset_flags __attribute__((section(".noinit")));

}  // namespace

// After a watchdog reset the watchdog runs on, with its shortest time: it must be stopped before main().
extern "C" void save_reset_flags() __attribute__((naked, used, section(".init3")));
extern "C" void save_reset_flags() {
  reset_flags = MCUSR;
  MCUSR = 0;
  wdt_disable();
}

uint32_t count_boot() {
  uint8_t records[2][RECORD_SIZE];
  for (uint8_t i = 0; i < 2; i++) eeprom_read_block(records[i], BOOT_SLOTS[i], RECORD_SIZE);
  const BootSlot next = next_boot(records[0], records[1]);
  uint8_t record[RECORD_SIZE];
  encode_record(next.boot_id, record);
  eeprom_update_block(record, BOOT_SLOTS[next.slot], RECORD_SIZE);
  return next.boot_id;
}

Stops load_stops() {
  uint8_t record[RECORD_SIZE];
  eeprom_read_block(record, STOPS, RECORD_SIZE);
  uint32_t value;
  const bool valid = decode_record(record, value);
  const Stops stops = {uint16_t(value), uint16_t(value >> 16)};
  return valid && valid_stops(stops) ? stops : Stops{OPEN_STOP_TICKS, CLOSED_STOP_TICKS};
}

void EepromSettings::save(const Stops &stops) {
  uint8_t record[RECORD_SIZE];
  encode_record(stops.open | uint32_t(stops.closed) << 16, record);
  eeprom_update_block(record, STOPS, RECORD_SIZE);
}

ResetCause reset_cause() {
  if (reset_flags & _BV(WDRF)) return ResetCause::Watchdog;
  if (reset_flags & _BV(BORF)) return ResetCause::BrownOut;
  if (reset_flags & _BV(EXTRF)) return ResetCause::External;
  if (reset_flags & _BV(PORF)) return ResetCause::Power;
  return ResetCause::Unknown;
}

}  // namespace gripper
