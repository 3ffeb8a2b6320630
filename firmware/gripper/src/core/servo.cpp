#include "servo.h"

#include "counter.h"

namespace gripper {

namespace {

// One block of RAM registers: what is written (24–35) and what is measured (36–46).
constexpr uint8_t TORQUE_ENABLE = 24;
constexpr uint8_t BLOCK_SIZE = 23;
constexpr uint8_t GOAL = 30 - TORQUE_ENABLE;
constexpr uint8_t SPEED_LIMIT = 32 - TORQUE_ENABLE;
constexpr uint8_t TORQUE_LIMIT = 34 - TORQUE_ENABLE;
constexpr uint8_t POSITION = 36 - TORQUE_ENABLE;
constexpr uint8_t SPEED = 38 - TORQUE_ENABLE;
constexpr uint8_t LOAD = 40 - TORQUE_ENABLE;
constexpr uint8_t VOLTAGE = 42 - TORQUE_ENABLE;
constexpr uint8_t TEMPERATURE = 43 - TORQUE_ENABLE;
constexpr uint8_t MOVING = 46 - TORQUE_ENABLE;
constexpr uint8_t WRITE_SIZE = 12;
constexpr uint8_t ANSWER_BYTES_PER_TURN = 8;  // parsing is no faster than the wire: without a limit a turn would last a packet
constexpr uint8_t COMPLIANCE_MARGIN = 1;  // ticks
constexpr uint8_t COMPLIANCE_SLOPE = 32;  // ticks

// Bit 10 says clockwise: towards decreasing ticks.
int16_t signed_value(uint16_t raw) {
  const int16_t magnitude = int16_t(raw & 0x3FF);
  return raw & 0x400 ? int16_t(-magnitude) : magnitude;
}

}  // namespace

void Servo::set_target(const ServoTarget &target) {
  if (target == target_) return;
  target_ = target;
  to_write_ = true;
}

bool Servo::poll(uint32_t now_us, bool reserved, ServoReading &reading) {
  if (bus_ == Bus::Free) {
    start(now_us, reserved);
    return false;
  }
  if (bus_ == Bus::Sending) {
    if (port_.sending()) {
      // A transmitter whose end was missed would otherwise keep the bus, and the grip, for ever.
      if (elapsed_us(begun_us_, now_us) >= int32_t(SERVO_TIMEOUT_US)) fail(false);
      return false;
    }
    bus_ = Bus::Waiting;
    sent_us_ = now_us;
  }
  uint8_t byte;
  for (uint8_t left = ANSWER_BYTES_PER_TURN; left && port_.read(byte); left--) {
    const auto result = parser_.feed(byte);
    if (result == dynamixel::StatusParser::Result::Packet) return succeed(now_us, reading);
    if (result == dynamixel::StatusParser::Result::Damaged) {
      fail(true);
      return false;
    }
  }
  if (elapsed_us(sent_us_, now_us) >= int32_t(SERVO_TIMEOUT_US)) fail(false);
  return false;
}

void Servo::start(uint32_t now_us, bool reserved) {
  const bool due = !reserved && elapsed_us(next_read_us_, now_us) >= 0;
  writing_ = to_write_ && health_ == ServoHealth::Present;
  if (!writing_ && !due) return;
  begun_us_ = now_us;
  bus_ = Bus::Sending;
  parser_.start(SERVO_ID);
  if (writing_) {
    to_write_ = false;
    send_target();
    return;
  }
  const bool lost = health_ == ServoHealth::Missing || health_ == ServoHealth::Garbled;
  next_read_us_ += lost ? SERVO_SEARCH_US : SERVO_PERIOD_US;
  if (elapsed_us(next_read_us_, now_us) > 0) next_read_us_ = now_us + SERVO_PERIOD_US;
  send_read();
}

void Servo::send_target() {
  uint8_t packet[dynamixel::MAX_PACKET];
  uint8_t values[WRITE_SIZE] = {uint8_t(target_.on), 0, COMPLIANCE_MARGIN, COMPLIANCE_MARGIN,
                                COMPLIANCE_SLOPE,    COMPLIANCE_SLOPE};
  put_u16(values + GOAL, target_.goal);
  put_u16(values + SPEED_LIMIT, target_.speed);
  put_u16(values + TORQUE_LIMIT, target_.torque);
  // Writing a goal would switch the torque on.
  const uint8_t count = target_.on ? WRITE_SIZE : uint8_t(1);
  port_.send(packet, dynamixel::encode_write(SERVO_ID, TORQUE_ENABLE, values, count, packet));
}

void Servo::send_read() {
  uint8_t packet[dynamixel::MAX_PACKET];
  port_.send(packet, dynamixel::encode_read(SERVO_ID, TORQUE_ENABLE, BLOCK_SIZE, packet));
}

bool Servo::succeed(uint32_t now_us, ServoReading &reading) {
  bus_ = Bus::Free;
  if (!writing_ && parser_.count() != BLOCK_SIZE) {
    fail(true);
    return false;
  }
  failures_ = 0;
  if (health_ != ServoHealth::Present) {
    next_read_us_ = now_us + SERVO_PERIOD_US;
    if (++answers_ < ANSWERS_TO_FIND) return false;
    health_ = ServoHealth::Present;
  }
  if (writing_) return false;
  const uint8_t *r = parser_.parameters();
  compare(r, parser_.error());
  reading.t_us = begun_us_;
  reading.duration_us = uint16_t(now_us - begun_us_);
  reading.position = get_u16(r + POSITION);
  reading.speed = signed_value(get_u16(r + SPEED));
  reading.load = signed_value(get_u16(r + LOAD));
  reading.voltage = r[VOLTAGE];
  reading.temperature = r[TEMPERATURE];
  reading.moving = r[MOVING];
  reading.error = parser_.error();
  return true;
}

void Servo::fail(bool garbled) {
  bus_ = Bus::Free;
  answers_ = 0;
  count_up(garbled ? errors_ : timeouts_);
  if (writing_) to_write_ = true;
  count_up(failures_);
  if (failures_ < FAILURES_TO_LOSE || health_ == ServoHealth::Missing || health_ == ServoHealth::Garbled) return;
  health_ = garbled ? ServoHealth::Garbled : ServoHealth::Missing;
}

void Servo::compare(const uint8_t *r, uint8_t error) {
  // A shutdown zeroes the torque limit. It is the gripper's part to decide what follows, with a new target.
  if (error & (dynamixel::ERROR_OVERLOAD | dynamixel::ERROR_OVERHEAT)) return;
  const bool on = r[0] != 0;
  const bool same = on == target_.on && (!on || (get_u16(r + GOAL) == target_.goal &&
                                                 get_u16(r + SPEED_LIMIT) == target_.speed &&
                                                 get_u16(r + TORQUE_LIMIT) == target_.torque));
  if (!same) to_write_ = true;
}

}  // namespace gripper
