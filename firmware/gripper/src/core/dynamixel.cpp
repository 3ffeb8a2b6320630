#include "dynamixel.h"

namespace gripper {
namespace dynamixel {

namespace {

constexpr uint8_t READ = 2;
constexpr uint8_t WRITE = 3;
constexpr uint8_t MARK = 0xFF;

uint8_t encode(uint8_t id, uint8_t instruction, uint8_t first, const uint8_t *rest, uint8_t count, uint8_t *packet) {
  uint8_t n = 0;
  packet[n++] = MARK;
  packet[n++] = MARK;
  packet[n++] = id;
  packet[n++] = uint8_t(count + 3);
  packet[n++] = instruction;
  packet[n++] = first;
  for (uint8_t i = 0; i < count; i++) packet[n++] = rest[i];
  uint8_t sum = 0;
  for (uint8_t i = 2; i < n; i++) sum = uint8_t(sum + packet[i]);
  packet[n++] = uint8_t(~sum);
  return n;
}

}  // namespace

uint8_t encode_read(uint8_t id, uint8_t address, uint8_t count, uint8_t *packet) {
  return encode(id, READ, address, &count, 1, packet);
}

uint8_t encode_write(uint8_t id, uint8_t address, const uint8_t *values, uint8_t count, uint8_t *packet) {
  return encode(id, WRITE, address, values, count, packet);
}

void StatusParser::start(uint8_t id) {
  id_ = id;
  count_ = error_ = 0;
  expect_ = Expect::Mark1;
}

StatusParser::Result StatusParser::feed(uint8_t byte) {
  switch (expect_) {
    case Expect::Mark1:
      if (byte == MARK) expect_ = Expect::Mark2;
      return Result::Incomplete;
    case Expect::Mark2:
      expect_ = byte == MARK ? Expect::Id : Expect::Mark1;
      return Result::Incomplete;
    case Expect::Id:
      if (byte == MARK) return Result::Incomplete;  // a third mark: the first was noise
      if (byte != id_) return Result::Damaged;
      sum_ = byte;
      expect_ = Expect::Length;
      return Result::Incomplete;
    case Expect::Length:
      if (byte < 2 || byte > MAX_PARAMETERS + 2) return Result::Damaged;
      length_ = uint8_t(byte - 2);
      sum_ = uint8_t(sum_ + byte);
      expect_ = Expect::Error;
      return Result::Incomplete;
    case Expect::Error:
      error_ = byte;
      sum_ = uint8_t(sum_ + byte);
      expect_ = length_ ? Expect::Parameter : Expect::Sum;
      return Result::Incomplete;
    case Expect::Parameter:
      parameters_[count_++] = byte;
      sum_ = uint8_t(sum_ + byte);
      if (count_ == length_) expect_ = Expect::Sum;
      return Result::Incomplete;
    case Expect::Sum:
      break;
  }
  expect_ = Expect::Mark1;
  return byte == uint8_t(~sum_) ? Result::Packet : Result::Damaged;
}

}  // namespace dynamixel
}  // namespace gripper
