// The AX-12A as the gripper uses it: one target that is kept written, one reading every 10 ms, without ever waiting.
#pragma once

#include <stdint.h>

#include "dynamixel.h"
#include "messages.h"
#include "ports.h"

namespace gripper {

constexpr uint8_t SERVO_ID = 1;
constexpr uint32_t SERVO_PERIOD_US = uint32_t(SERVO_PERIOD_MS) * 1000;
constexpr uint32_t SERVO_SEARCH_US = 100000;  // between two attempts while it is missing
// Longest answer: 29 bytes at 1 Mbaud after the factory's return delay of 500 us.
constexpr uint32_t SERVO_TIMEOUT_US = 1500;
// Longest transaction, with the turns of the main loop before and after it.
constexpr int32_t SERVO_BUSY_US = 2500;
constexpr uint8_t FAILURES_TO_LOSE = 5;
constexpr uint8_t ANSWERS_TO_FIND = 3;

// What the servo shall do. Off: no torque, the horn turns freely.
struct ServoTarget {
  bool on;
  uint16_t goal;    // ticks
  uint16_t speed;   // 0.111 rpm
  uint16_t torque;  // 1/1023 of stall torque
};

inline bool operator==(const ServoTarget &a, const ServoTarget &b) {
  return a.on == b.on && a.goal == b.goal && a.speed == b.speed && a.torque == b.torque;
}

struct ServoReading {
  uint32_t t_us;
  uint16_t duration_us;
  uint16_t position;
  int16_t speed;  // positive towards increasing ticks, like load
  int16_t load;
  uint8_t voltage;
  uint8_t temperature;
  uint8_t moving;
  uint8_t error;
};

enum class ServoHealth : uint8_t { Searching, Present, Missing, Garbled };

// A target is written when it changes, and again whenever a reading shows that the servo forgot it (a power cycle).
class Servo {
 public:
  explicit Servo(ServoPort &port) : port_(port) {}

  void begin(uint32_t now_us) { next_read_us_ = now_us; }
  void set_target(const ServoTarget &target);
  // Drives the bus; true when a reading was completed. No reading begins while `reserved`: a command is expected.
  bool poll(uint32_t now_us, bool reserved, ServoReading &reading);

  ServoHealth health() const { return health_; }
  uint16_t timeouts() const { return timeouts_; }
  uint16_t errors() const { return errors_; }

 private:
  enum class Bus : uint8_t { Free, Sending, Waiting };

  void start(uint32_t now_us, bool reserved);
  void send_target();
  void send_read();
  bool succeed(uint32_t now_us, ServoReading &reading);
  void fail(bool garbled);
  void compare(const uint8_t *registers, uint8_t error);

  ServoPort &port_;
  dynamixel::StatusParser parser_;
  ServoTarget target_ = {false, 0, 0, 0};
  Bus bus_ = Bus::Free;
  bool writing_ = false;
  bool to_write_ = false;
  ServoHealth health_ = ServoHealth::Searching;
  uint8_t failures_ = 0;
  uint8_t answers_ = 0;
  uint32_t begun_us_ = 0;
  uint32_t sent_us_ = 0;
  uint32_t next_read_us_ = 0;
  uint16_t timeouts_ = 0;
  uint16_t errors_ = 0;
};

}  // namespace gripper
