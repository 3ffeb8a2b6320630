// Ports in memory.
#pragma once

#include <stddef.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "framing.h"
#include "ports.h"

struct FakeHostPort final : gripper::HostPort {
  std::deque<uint8_t> incoming;
  std::vector<uint8_t> sent;
  uint8_t free = 255;
  uint32_t clock_us = 0;

  bool write(const uint8_t *bytes, uint8_t count) override {
    if (count > free) return false;
    sent.insert(sent.end(), bytes, bytes + count);
    return true;
  }
  uint8_t room() const override { return free; }
  bool read(uint8_t &byte, uint32_t &t_us) override {
    if (incoming.empty()) return false;
    byte = incoming.front();
    t_us = clock_us;
    incoming.pop_front();
    return true;
  }
  uint32_t now_us() const override { return clock_us; }

  template <class Message>
  void deliver(const Message &message, uint8_t seq = 0) {
    uint8_t body[gripper::MAX_BODY], frame[gripper::MAX_FRAME];
    gripper::encode(message, body);
    const uint8_t size = gripper::encode_frame({Message::TYPE, seq, 0}, body, Message::SIZE, frame);
    incoming.insert(incoming.end(), frame, frame + size);
  }

  // All sent messages of one kind since the last call, with their headers.
  template <class Message>
  struct Sent {
    gripper::Header header;
    Message message;
  };
  template <class Message>
  std::vector<Sent<Message>> messages() const {
    std::vector<Sent<Message>> found;
    gripper::FrameReader reader;
    for (uint8_t byte : sent) {
      if (!reader.feed(byte) || reader.header().type != Message::TYPE) continue;
      Message message;
      gripper::decode(reader.body(), message);
      found.push_back({reader.header(), message});
    }
    return found;
  }
};

struct FakeServoPort final : gripper::ServoPort {
  std::vector<std::vector<uint8_t>> packets;
  std::deque<uint8_t> incoming;
  bool busy = false;
  bool answers = false;  // by itself, from the registers 24…46; its position is its goal
  std::vector<uint8_t> block = std::vector<uint8_t>(23, 0);

  void send(const uint8_t *bytes, uint8_t count) override {
    packets.emplace_back(bytes, bytes + count);
    incoming.clear();
    if (!answers) return;
    const bool write = bytes[4] == 3;
    if (write) std::copy(bytes + 6, bytes + count - 1, block.begin() + (bytes[5] - 24));
    std::copy(block.begin() + 6, block.begin() + 8, block.begin() + 12);
    answer(0, write ? std::vector<uint8_t>() : block);
  }
  bool sending() const override { return busy; }
  bool read(uint8_t &byte) override {
    if (incoming.empty()) return false;
    byte = incoming.front();
    incoming.pop_front();
    return true;
  }

  void answer(uint8_t error, const std::vector<uint8_t> &parameters, uint8_t spoil = 0) {
    std::vector<uint8_t> packet = {0xFF, 0xFF, 1, uint8_t(parameters.size() + 2), error};
    packet.insert(packet.end(), parameters.begin(), parameters.end());
    uint8_t sum = 0;
    for (size_t i = 2; i < packet.size(); i++) sum = uint8_t(sum + packet[i]);
    packet.push_back(uint8_t(~sum ^ spoil));
    incoming.insert(incoming.end(), packet.begin(), packet.end());
  }
};

struct FakeButton final : gripper::ButtonPort {
  std::deque<gripper::Edge> edges;
  bool level = false;

  bool read(gripper::Edge &edge) override {
    if (edges.empty()) return false;
    edge = edges.front();
    edges.pop_front();
    return true;
  }
  bool pressed() const override { return level; }
  uint16_t lost() const override { return 0; }
  void change(uint32_t t_us, bool pressed) {
    edges.push_back({t_us, pressed});
    level = pressed;
  }
};

struct FakeSettings final : gripper::SettingsPort {
  std::vector<gripper::Stops> saved;
  void save(const gripper::Stops &stops) override { saved.push_back(stops); }
};
