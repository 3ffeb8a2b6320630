#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "crc16.h"
#include "framing.h"

using namespace gripper;

TEST_CASE("CRC-16/CCITT-FALSE has its published check value") {
  CHECK(crc16(reinterpret_cast<const uint8_t *>("123456789"), 9) == 0x29B1);
}

TEST_CASE("any body survives framing, and its frame has one zero, at the end") {
  std::mt19937 random(1);
  FrameReader reader;
  for (int round = 0; round < 20000; round++) {
    uint8_t body[MAX_BODY];
    const uint8_t size = uint8_t(random() % (MAX_BODY + 1));
    for (auto &byte : body) byte = random() % 3 ? 0 : uint8_t(random());
    const Header header = {uint8_t(random()), uint8_t(random()), uint32_t(random())};
    uint8_t frame[MAX_FRAME];
    const uint8_t length = encode_frame(header, body, size, frame);
    REQUIRE(length <= MAX_FRAME);
    bool early = false;
    for (uint8_t i = 0; i + 1 < length; i++) early |= frame[i] == 0 || reader.feed(frame[i]);
    REQUIRE_FALSE(early);
    REQUIRE(reader.feed(frame[length - 1]));
    REQUIRE(reader.header().type == header.type);
    REQUIRE(reader.header().seq == header.seq);
    REQUIRE(reader.header().t_us == header.t_us);
    REQUIRE(reader.body_size() == size);
    REQUIRE(std::equal(body, body + size, reader.body()));
  }
  CHECK(reader.errors() == 0);
}

TEST_CASE("a frame with one flipped bit is refused, counted, and the next one is read") {
  const uint8_t body[] = {1, 0, 2, 0, 0, 255};
  uint8_t frame[MAX_FRAME];
  const uint8_t length = encode_frame({4, 9, 0x00FF0001}, body, sizeof body, frame);
  for (uint8_t at = 0; at + 1 < length; at++) {
    for (uint8_t bit = 0; bit < 8; bit++) {
      FrameReader reader;
      bool accepted = false;
      for (uint8_t i = 0; i < length; i++) accepted |= reader.feed(i == at ? uint8_t(frame[i] ^ 1 << bit) : frame[i]);
      CHECK_FALSE(accepted);
      CHECK(reader.errors() >= 1);
      bool next = false;
      for (uint8_t i = 0; i < length; i++) next |= reader.feed(frame[i]);
      CHECK(next);
    }
  }
}

TEST_CASE("random bytes never yield a frame of impossible size and never harm") {
  std::mt19937 random(2);
  FrameReader reader;
  for (int i = 0; i < 300000; i++)
    if (reader.feed(uint8_t(random() % 20 ? random() : 0))) REQUIRE(reader.body_size() <= MAX_BODY);
}

TEST_CASE("zeros alone are silence, not errors") {
  FrameReader reader;
  for (int i = 0; i < 10; i++) CHECK_FALSE(reader.feed(0));
  CHECK(reader.errors() == 0);
}

TEST_CASE("messages survive encoding with extreme values") {
  ServoMessage in, out;
  in.position = 1023;
  in.speed = -1023;
  in.load = 32767;
  in.state = State::Holding;
  uint8_t body[MAX_BODY];
  encode(in, body);
  decode(body, out);
  CHECK(out.position == 1023);
  CHECK(out.speed == -1023);
  CHECK(out.load == 32767);
  CHECK(out.state == State::Holding);
}
