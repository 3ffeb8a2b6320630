#include <doctest/doctest.h>

#include <random>

#include "fakes.h"
#include "servo.h"

using namespace gripper;
using dynamixel::StatusParser;

namespace {

// The register block 24…46 of a servo in a state.
std::vector<uint8_t> registers(const ServoTarget &target, uint16_t position, uint16_t load = 0) {
  std::vector<uint8_t> r(23, 0);
  r[0] = target.on;
  put_u16(&r[6], target.goal);
  put_u16(&r[8], target.speed);
  put_u16(&r[10], target.torque);
  put_u16(&r[12], position);
  put_u16(&r[16], load);
  r[18] = 111;
  r[19] = 30;
  return r;
}

struct Bench {
  FakeServoPort port;
  Servo servo{port};
  ServoReading reading = {};
  uint32_t t = 0;

  // One transaction: the servo answers whatever is sent. True when it was a completed reading.
  bool exchange(uint8_t error, const std::vector<uint8_t> &block, uint8_t spoil = 0) {
    const size_t before = port.packets.size();
    while (port.packets.size() == before) servo.poll(t += 500, false, reading);
    if (port.packets.back()[4] == 2)
      port.answer(error, block, spoil);
    else
      port.answer(error, {}, spoil);
    bool done = false;
    while (!port.incoming.empty()) done |= servo.poll(t += 20, false, reading);
    return done;
  }
  void timeout() {
    const size_t before = port.packets.size();
    while (port.packets.size() == before) servo.poll(t += 500, false, reading);
    const uint16_t timeouts = servo.timeouts();
    while (servo.timeouts() == timeouts) servo.poll(t += 400, false, reading);
  }
  size_t writes() const {
    size_t n = 0;
    for (const auto &packet : port.packets) n += packet[4] == 3;
    return n;
  }
};

const ServoTarget OFF = {false, 0, 0, 0};
const ServoTarget ON = {true, 700, 330, 500};

void find(Bench &bench) {
  for (int i = 0; i < 3; i++) bench.exchange(0, registers(OFF, 512));
}

}  // namespace

TEST_CASE("packets are those of the e-Manual's examples") {
  uint8_t packet[dynamixel::MAX_PACKET];
  CHECK(dynamixel::encode_read(1, 43, 1, packet) == 8);
  const uint8_t read[] = {0xFF, 0xFF, 0x01, 0x04, 0x02, 0x2B, 0x01, 0xCC};
  for (int i = 0; i < 8; i++) CHECK(packet[i] == read[i]);
  const uint8_t id = 1;
  CHECK(dynamixel::encode_write(0xFE, 3, &id, 1, packet) == 8);
  const uint8_t write[] = {0xFF, 0xFF, 0xFE, 0x04, 0x03, 0x03, 0x01, 0xF6};
  for (int i = 0; i < 8; i++) CHECK(packet[i] == write[i]);
}

TEST_CASE("the parser finds a packet after noise and refuses damage") {
  StatusParser parser;
  parser.start(1);
  for (int noise : {0x00, 0xFF, 0x12}) CHECK(parser.feed(uint8_t(noise)) == StatusParser::Result::Incomplete);
  const uint8_t good[] = {0xFF, 0xFF, 0x01, 0x03, 0x00, 0x20, 0xDB};
  StatusParser::Result result = StatusParser::Result::Incomplete;
  for (uint8_t byte : good) result = parser.feed(byte);
  CHECK(result == StatusParser::Result::Packet);
  CHECK(parser.count() == 1);
  CHECK(parser.parameters()[0] == 0x20);
  parser.start(1);
  for (int byte : {0xFF, 0xFF, 0x01, 0x03, 0x00, 0x21, 0xDB}) result = parser.feed(uint8_t(byte));
  CHECK(result == StatusParser::Result::Damaged);
}

TEST_CASE("random bytes never harm the parser") {
  std::mt19937 random(4);
  StatusParser parser;
  parser.start(1);
  for (int i = 0; i < 300000; i++) {
    const uint8_t byte = random() % 3 ? uint8_t(random()) : uint8_t(0xFF);
    if (parser.feed(byte) != StatusParser::Result::Incomplete) parser.start(1);
    if (parser.count() > dynamixel::MAX_PARAMETERS) FAIL("more parameters than there is room for");
  }
}

TEST_CASE("three answers make the servo present, five silences missing, and it is found again") {
  Bench bench;
  CHECK(bench.servo.health() == ServoHealth::Searching);
  find(bench);
  CHECK(bench.servo.health() == ServoHealth::Present);
  for (int i = 0; i < 4; i++) bench.timeout();
  CHECK(bench.servo.health() == ServoHealth::Present);
  bench.timeout();
  CHECK(bench.servo.health() == ServoHealth::Missing);
  CHECK(bench.servo.timeouts() == 5);
  find(bench);
  CHECK(bench.servo.health() == ServoHealth::Present);
}

TEST_CASE("garbage makes it garbled, and is counted") {
  Bench bench;
  find(bench);
  for (int i = 0; i < 5; i++) bench.exchange(0, registers(OFF, 512), 1);
  CHECK(bench.servo.health() == ServoHealth::Garbled);
  CHECK(bench.servo.errors() == 5);
}

TEST_CASE("a reading has its values and signs") {
  Bench bench;
  find(bench);
  REQUIRE(bench.exchange(32, registers(OFF, 640, 0x400 | 300)));
  CHECK(bench.reading.position == 640);
  CHECK(bench.reading.load == -300);
  CHECK(bench.reading.voltage == 111);
  CHECK(bench.reading.temperature == 30);
  CHECK(bench.reading.error == 32);
}

TEST_CASE("a new target is written once and then only read back") {
  Bench bench;
  find(bench);
  bench.servo.set_target(ON);
  bench.exchange(0, {});
  CHECK(bench.writes() == 1);
  for (int i = 0; i < 5; i++) bench.exchange(0, registers(ON, 600));
  CHECK(bench.writes() == 1);
}

TEST_CASE("a servo that forgot its target is told again; one that shut itself down is not") {
  Bench bench;
  find(bench);
  bench.servo.set_target(ON);
  bench.exchange(0, {});
  bench.exchange(0, registers(OFF, 600));  // it was power cycled
  bench.exchange(0, registers(ON, 600));
  CHECK(bench.writes() == 2);
  ServoTarget shut_down = ON;
  shut_down.torque = 0;
  for (int i = 0; i < 5; i++) bench.exchange(dynamixel::ERROR_OVERLOAD, registers(shut_down, 600));
  CHECK(bench.writes() == 2);
}

TEST_CASE("a write that was not answered is repeated") {
  Bench bench;
  find(bench);
  bench.servo.set_target(ON);
  bench.timeout();
  bench.exchange(0, {});
  CHECK(bench.writes() == 2);
}

TEST_CASE("a reserved bus begins no reading, but a command goes out at once") {
  Bench bench;
  find(bench);
  const size_t before = bench.port.packets.size();
  for (int i = 0; i < 100; i++) bench.servo.poll(bench.t += 500, true, bench.reading);
  CHECK(bench.port.packets.size() == before);
  bench.servo.set_target(ON);
  bench.servo.poll(bench.t += 500, true, bench.reading);
  REQUIRE(bench.port.packets.size() == before + 1);
  CHECK(bench.port.packets.back()[4] == 3);
}
