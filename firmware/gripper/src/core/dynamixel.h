// Dynamixel Protocol 1.0: FF FF id length instruction|error parameters ~sum. Source: ROBOTIS e-Manual.
#pragma once

#include <stdint.h>

namespace gripper {
namespace dynamixel {

constexpr uint8_t MAX_PARAMETERS = 24;
constexpr uint8_t MAX_PACKET = MAX_PARAMETERS + 6;

enum ErrorBit : uint8_t {
  ERROR_VOLTAGE = 1,
  ERROR_ANGLE = 2,
  ERROR_OVERHEAT = 4,
  ERROR_RANGE = 8,
  ERROR_CHECKSUM = 16,
  ERROR_OVERLOAD = 32,
  ERROR_INSTRUCTION = 64,
};

// Write a packet to `packet` [MAX_PACKET]; its length.
uint8_t encode_read(uint8_t id, uint8_t address, uint8_t count, uint8_t *packet);
uint8_t encode_write(uint8_t id, uint8_t address, const uint8_t *values, uint8_t count, uint8_t *packet);

// Takes the bytes that follow a request and looks for the one answer to it.
class StatusParser {
 public:
  enum class Result : uint8_t { Incomplete, Packet, Damaged };

  void start(uint8_t id);
  Result feed(uint8_t byte);

  uint8_t error() const { return error_; }
  uint8_t count() const { return count_; }
  const uint8_t *parameters() const { return parameters_; }

 private:
  enum class Expect : uint8_t { Mark1, Mark2, Id, Length, Error, Parameter, Sum };

  Expect expect_ = Expect::Mark1;
  uint8_t id_ = 0;
  uint8_t sum_ = 0;
  uint8_t length_ = 0;
  uint8_t error_ = 0;
  uint8_t count_ = 0;
  uint8_t parameters_[MAX_PARAMETERS] = {0};
};

}  // namespace dynamixel
}  // namespace gripper
