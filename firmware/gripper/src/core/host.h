// The conversation with the host: numbered messages out, requests in.
#pragma once

#include <stdint.h>

#include "counter.h"
#include "framing.h"
#include "ports.h"

namespace gripper {

// A byte at the speed a Mega really sends: 16 MHz / (8 * 17) = 117647 baud.
constexpr uint16_t HOST_BYTE_US = 85;
// From now_us() to the first bit of a short message on an idle wire, as measured in the simulator.
constexpr uint32_t PREPARE_US = 104;
// Room that readings leave for events.
constexpr uint8_t EVENT_ROOM = 128;

// What one turn takes at most: a host that floods the line must not keep the grip waiting.
constexpr uint8_t BYTES_PER_TURN = 16;

enum class Importance : uint8_t { Reading, Event };

class Host {
 public:
  explicit Host(HostPort &port) : port_(port) {}

  void begin(uint32_t now_us) { wire_free_us_ = now_us; }

  template <class Message>
  void send(const Message &message, uint32_t t_us, Importance importance) {
    uint8_t body[MAX_BODY];
    encode(message, body);
    send_body(Message::TYPE, body, Message::SIZE, t_us, importance);
  }

  // True when a valid frame has arrived, with the time of its last byte.
  bool receive(uint32_t &t_us);
  // The received frame as a message; false when it is another or too short.
  template <class Message>
  bool as(Message &message) const {
    if (reader_.header().type != Message::TYPE || reader_.body_size() < Message::SIZE) return false;
    decode(reader_.body(), message);
    return true;
  }
  const Header &header() const { return reader_.header(); }

  // When a short message that is made now will start on the wire.
  uint32_t next_start_us() const { return start_us(port_.now_us() + PREPARE_US); }

  uint16_t drops() const { return drops_; }
  uint16_t errors() const { return reader_.errors(); }

 private:
  void send_body(uint8_t type, const uint8_t *body, uint8_t size, uint32_t t_us, Importance importance);
  uint32_t start_us(uint32_t ready_us) const {
    return elapsed_us(ready_us, wire_free_us_) > 0 ? wire_free_us_ : ready_us;
  }

  HostPort &port_;
  FrameReader reader_;
  uint8_t seq_ = 0;
  uint32_t wire_free_us_ = 0;
  uint16_t drops_ = 0;
};

}  // namespace gripper
