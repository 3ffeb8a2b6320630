// What the core needs of the board it runs on. The AVR port implements it with registers, the tests with memory.
// Times are microseconds of the board's clock, modulo 2^32.
#pragma once

#include <stdint.h>

namespace gripper {

struct Edge {
  uint32_t t_us;
  bool pressed;
};

// Time from `from` to `to`, right across the wrap.
inline int32_t elapsed_us(uint32_t from, uint32_t to) { return int32_t(to - from); }

class HostPort {
 public:
  // Queues all bytes or none; false when there is no room.
  virtual bool write(const uint8_t *bytes, uint8_t count) = 0;
  virtual uint8_t room() const = 0;
  // The next received byte, and for a zero byte its time of arrival.
  virtual bool read(uint8_t &byte, uint32_t &t_us) = 0;
  // The board's clock this instant: a turn of the main loop is too long to answer a ping with its time.
  virtual uint32_t now_us() const = 0;

 protected:
  ~HostPort() = default;
};

class ServoPort {
 public:
  // Starts sending a packet in the background and forgets what was received before its end.
  virtual void send(const uint8_t *bytes, uint8_t count) = 0;
  virtual bool sending() const = 0;
  virtual bool read(uint8_t &byte) = 0;

 protected:
  ~ServoPort() = default;
};

class ButtonPort {
 public:
  virtual bool read(Edge &edge) = 0;  // the next raw edge, oldest first
  virtual bool pressed() const = 0;   // the pin's level now
  virtual uint16_t lost() const = 0;  // edges for which there was no room

 protected:
  ~ButtonPort() = default;
};

struct Stops {
  uint16_t open;
  uint16_t closed;
};

class SettingsPort {
 public:
  virtual void save(const Stops &stops) = 0;

 protected:
  ~SettingsPort() = default;
};

}  // namespace gripper
