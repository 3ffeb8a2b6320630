// Generated from firmware/protocol.toml by firmware/generate.py: change that file, then run it.
#pragma once

#include <stdint.h>

namespace gripper {

constexpr uint8_t PROTOCOL_VERSION = 1;
constexpr uint32_t HOST_BAUD = 115200;
constexpr uint8_t HEADER_SIZE = 6;
constexpr uint8_t MAX_BODY = 24;
constexpr uint16_t OPEN_STOP_TICKS = 512;  // Servo position with the fingers fully open, until set-up measured it.
constexpr uint16_t CLOSED_STOP_TICKS = 812;  // Servo position with the fingers fully closed, until set-up measured it.
constexpr uint16_t MAX_TICKS = 1023;  // Largest servo position.
constexpr uint16_t SERVO_PERIOD_MS = 10;  // Time between two SERVO readings.
constexpr uint16_t STATS_PERIOD_MS = 1000;  // Time between two STATS messages.
constexpr uint16_t OVERRIDE_MS = 2000;  // `open` and `close` end when the host is silent for this time: the button counts again.
constexpr uint16_t BUTTON_REPEAT_MS = 40;  // A BUTTON message is sent again after this time, in case the first was damaged.

// Why the device started (a bootloader may have cleared the reason: unknown).
enum class ResetCause : uint8_t {
  Unknown = 0,
  Power = 1,
  External = 2,
  BrownOut = 3,
  Watchdog = 4,
};

// What the gripper is doing.
enum class State : uint8_t {
  Idle = 0,
  Closing = 1,
  Holding = 2,
  Opening = 3,
  Fault = 4,
};

// What the host asks for.
enum class Command : uint8_t {
  Identify = 0,
  FollowButton = 1,
  Open = 2,
  Close = 3,
  SetOpenStop = 4,
  SetClosedStop = 5,
};

// Answer to a command.
enum class Result : uint8_t {
  Done = 0,
  Unknown = 1,
  OutOfRange = 2,
  Refused = 3,
};

// What is wrong.
enum class Fault : uint8_t {
  ServoMissing = 1,
  ServoGarbled = 2,
  Overload = 3,
  Overheat = 4,
  Voltage = 5,
};

inline void put_u8(uint8_t *p, uint8_t v) { p[0] = v; }
inline void put_u16(uint8_t *p, uint16_t v) {
  p[0] = uint8_t(v);
  p[1] = uint8_t(v >> 8);
}
inline void put_i16(uint8_t *p, int16_t v) { put_u16(p, uint16_t(v)); }
inline void put_u32(uint8_t *p, uint32_t v) {
  put_u16(p, uint16_t(v));
  put_u16(p + 2, uint16_t(v >> 16));
}
inline uint8_t get_u8(const uint8_t *p) { return p[0]; }
inline uint16_t get_u16(const uint8_t *p) { return uint16_t(p[0] | uint16_t(p[1]) << 8); }
inline int16_t get_i16(const uint8_t *p) { return int16_t(get_u16(p)); }
inline uint32_t get_u32(const uint8_t *p) { return get_u16(p) | uint32_t(get_u16(p + 2)) << 16; }

// Sent after start and on `identify`. A new `boot_id` means the device's clock has started anew. Time: when the message was made.
struct HelloMessage {
  static constexpr uint8_t TYPE = 1;
  static constexpr uint8_t SIZE = 14;
  uint8_t protocol = 0;  // version of this protocol
  uint32_t firmware = 0;  // first 32 bits of the SHA-256 of the firmware's sources
  uint32_t boot_id = 0;  // number of starts, kept in EEPROM
  ResetCause reset_cause = ResetCause(0);  // why it started
  uint16_t open_stop = 0;  // stop in use, fingers fully open, ticks
  uint16_t closed_stop = 0;  // stop in use, fingers fully closed, ticks
};

inline void encode(const HelloMessage &m, uint8_t *body) {
  put_u8(body + 0, m.protocol);
  put_u32(body + 1, m.firmware);
  put_u32(body + 5, m.boot_id);
  put_u8(body + 9, uint8_t(m.reset_cause));
  put_u16(body + 10, m.open_stop);
  put_u16(body + 12, m.closed_stop);
}

inline void decode(const uint8_t *body, HelloMessage &m) {
  m.protocol = get_u8(body + 0);
  m.firmware = get_u32(body + 1);
  m.boot_id = get_u32(body + 5);
  m.reset_cause = ResetCause(get_u8(body + 9));
  m.open_stop = get_u16(body + 10);
  m.closed_stop = get_u16(body + 12);
}

// Asks for the device's time. As long as PONG, so that the time on the wire cancels. Time: host's choice; comes back unused.
struct PingMessage {
  static constexpr uint8_t TYPE = 2;
  static constexpr uint8_t SIZE = 4;
  uint16_t token = 0;  // comes back in PONG
  uint16_t pad = 0;  // 0
};

inline void encode(const PingMessage &m, uint8_t *body) {
  put_u16(body + 0, m.token);
  put_u16(body + 2, m.pad);
}

inline void decode(const uint8_t *body, PingMessage &m) {
  m.token = get_u16(body + 0);
  m.pad = get_u16(body + 2);
}

// Answers PING. Time: arrival of the PING's last byte.
struct PongMessage {
  static constexpr uint8_t TYPE = 3;
  static constexpr uint8_t SIZE = 4;
  uint16_t token = 0;  // of the PING
  uint16_t wait = 0;  // from `t_us` to the start of this message on the wire, us
};

inline void encode(const PongMessage &m, uint8_t *body) {
  put_u16(body + 0, m.token);
  put_u16(body + 2, m.wait);
}

inline void decode(const uint8_t *body, PongMessage &m) {
  m.token = get_u16(body + 0);
  m.wait = get_u16(body + 2);
}

// The button changed and stayed so for the debounce time. Sent twice; `count` tells the copies. Time: first raw edge of the change.
struct ButtonMessage {
  static constexpr uint8_t TYPE = 4;
  static constexpr uint8_t SIZE = 4;
  uint8_t pressed = 0;  // 1 pressed, 0 released
  uint8_t edges = 0;  // raw edges until it was quiet (255: or more)
  uint16_t count = 0;  // number of changes since start
};

inline void encode(const ButtonMessage &m, uint8_t *body) {
  put_u8(body + 0, m.pressed);
  put_u8(body + 1, m.edges);
  put_u16(body + 2, m.count);
}

inline void decode(const uint8_t *body, ButtonMessage &m) {
  m.pressed = get_u8(body + 0);
  m.edges = get_u8(body + 1);
  m.count = get_u16(body + 2);
}

// One reading of the servo. Time: start of the reading.
struct ServoMessage {
  static constexpr uint8_t TYPE = 5;
  static constexpr uint8_t SIZE = 13;
  uint16_t duration = 0;  // from start to end of the reading, us
  uint16_t position = 0;  // present position (1023 ticks = 300 degrees), ticks
  int16_t speed = 0;  // present speed, positive towards increasing ticks, 0.111 rpm
  int16_t load = 0;  // present load, positive towards increasing ticks, 1/1023
  uint8_t voltage = 0;  // supply, 0.1 V
  uint8_t temperature = 0;  // of the motor, degC
  uint8_t moving = 0;  // 1 while a goal is being approached
  uint8_t error = 0;  // error bits of the servo's status packet
  State state = State(0);  // what the gripper is doing
};

inline void encode(const ServoMessage &m, uint8_t *body) {
  put_u16(body + 0, m.duration);
  put_u16(body + 2, m.position);
  put_i16(body + 4, m.speed);
  put_i16(body + 6, m.load);
  put_u8(body + 8, m.voltage);
  put_u8(body + 9, m.temperature);
  put_u8(body + 10, m.moving);
  put_u8(body + 11, m.error);
  put_u8(body + 12, uint8_t(m.state));
}

inline void decode(const uint8_t *body, ServoMessage &m) {
  m.duration = get_u16(body + 0);
  m.position = get_u16(body + 2);
  m.speed = get_i16(body + 4);
  m.load = get_i16(body + 6);
  m.voltage = get_u8(body + 8);
  m.temperature = get_u8(body + 9);
  m.moving = get_u8(body + 10);
  m.error = get_u8(body + 11);
  m.state = State(get_u8(body + 12));
}

// The gripper's state changed. Time: when it changed.
struct StateMessage {
  static constexpr uint8_t TYPE = 6;
  static constexpr uint8_t SIZE = 5;
  State state = State(0);  // new
  State previous = State(0);  // old
  uint8_t contact = 0;  // 1: the fingers hold something
  uint16_t position = 0;  // present position, ticks
};

inline void encode(const StateMessage &m, uint8_t *body) {
  put_u8(body + 0, uint8_t(m.state));
  put_u8(body + 1, uint8_t(m.previous));
  put_u8(body + 2, m.contact);
  put_u16(body + 3, m.position);
}

inline void decode(const uint8_t *body, StateMessage &m) {
  m.state = State(get_u8(body + 0));
  m.previous = State(get_u8(body + 1));
  m.contact = get_u8(body + 2);
  m.position = get_u16(body + 3);
}

// Asks the device to do something; answered by ACK with the same `seq`. Time: unused.
struct CommandMessage {
  static constexpr uint8_t TYPE = 7;
  static constexpr uint8_t SIZE = 3;
  Command command = Command(0);  // what
  uint16_t argument = 0;  // ticks for the stops, else 0
};

inline void encode(const CommandMessage &m, uint8_t *body) {
  put_u8(body + 0, uint8_t(m.command));
  put_u16(body + 1, m.argument);
}

inline void decode(const uint8_t *body, CommandMessage &m) {
  m.command = Command(get_u8(body + 0));
  m.argument = get_u16(body + 1);
}

// Answers COMMAND. Time: when the command was carried out.
struct AckMessage {
  static constexpr uint8_t TYPE = 8;
  static constexpr uint8_t SIZE = 3;
  uint8_t command_seq = 0;  // `seq` of the COMMAND
  Command command = Command(0);  // what was asked
  Result result = Result(0);  // what became of it
};

inline void encode(const AckMessage &m, uint8_t *body) {
  put_u8(body + 0, m.command_seq);
  put_u8(body + 1, uint8_t(m.command));
  put_u8(body + 2, uint8_t(m.result));
}

inline void decode(const uint8_t *body, AckMessage &m) {
  m.command_seq = get_u8(body + 0);
  m.command = Command(get_u8(body + 1));
  m.result = Result(get_u8(body + 2));
}

// A fault began or ended. Time: when it was noticed.
struct FaultMessage {
  static constexpr uint8_t TYPE = 9;
  static constexpr uint8_t SIZE = 3;
  Fault fault = Fault(0);  // what
  uint8_t active = 0;  // 1 began, 0 ended
  uint8_t detail = 0;  // error bits, or the temperature in degC for overheat
};

inline void encode(const FaultMessage &m, uint8_t *body) {
  put_u8(body + 0, uint8_t(m.fault));
  put_u8(body + 1, m.active);
  put_u8(body + 2, m.detail);
}

inline void decode(const uint8_t *body, FaultMessage &m) {
  m.fault = Fault(get_u8(body + 0));
  m.active = get_u8(body + 1);
  m.detail = get_u8(body + 2);
}

// Counters since start (each stops at its largest value). Time: when the message was made.
struct StatsMessage {
  static constexpr uint8_t TYPE = 10;
  static constexpr uint8_t SIZE = 14;
  uint16_t host_drops = 0;  // messages to the host for which there was no room
  uint16_t host_errors = 0;  // damaged messages from the host
  uint16_t servo_timeouts = 0;  // readings and commands the servo did not answer
  uint16_t servo_errors = 0;  // damaged answers of the servo
  uint16_t short_presses = 0;  // contacts shorter than the debounce time
  uint16_t lost_edges = 0;  // button edges for which there was no room
  uint16_t loop_max = 0;  // longest turn of the main loop since the last STATS, us
};

inline void encode(const StatsMessage &m, uint8_t *body) {
  put_u16(body + 0, m.host_drops);
  put_u16(body + 2, m.host_errors);
  put_u16(body + 4, m.servo_timeouts);
  put_u16(body + 6, m.servo_errors);
  put_u16(body + 8, m.short_presses);
  put_u16(body + 10, m.lost_edges);
  put_u16(body + 12, m.loop_max);
}

inline void decode(const uint8_t *body, StatsMessage &m) {
  m.host_drops = get_u16(body + 0);
  m.host_errors = get_u16(body + 2);
  m.servo_timeouts = get_u16(body + 4);
  m.servo_errors = get_u16(body + 6);
  m.short_presses = get_u16(body + 8);
  m.lost_edges = get_u16(body + 10);
  m.loop_max = get_u16(body + 12);
}

}  // namespace gripper
