#include <doctest/doctest.h>

#include "device.h"
#include "fakes.h"
#include "records.h"

using namespace gripper;

namespace {

struct Bench {
  FakeHostPort host;
  FakeServoPort servo;
  FakeButton button;
  FakeSettings settings;
  Device device{host, servo, button, settings, {0x12345678, 7, ResetCause::Power, {512, 812}}};
  uint32_t t;

  explicit Bench(uint32_t start_us = 0) : t(start_us) { device.begin(t); }
  void run(uint32_t duration_us) {
    for (const uint32_t end = t + duration_us; elapsed_us(t, end) > 0; t += 200) {
      host.clock_us = t;
      device.poll(t);
    }
  }
  // From now on the servo answers, with what was written last.
  void find_servo() {
    servo.answers = true;
    run(100000);
  }
  uint16_t goal() const { return get_u16(&servo.block[6]); }
};

}  // namespace

TEST_CASE("it introduces itself at start and on request") {
  Bench bench;
  REQUIRE(bench.host.messages<HelloMessage>().size() == 1);
  CHECK(bench.host.messages<HelloMessage>()[0].message.boot_id == 7);
  CommandMessage command;
  command.command = Command::Identify;
  bench.host.deliver(command, 42);
  bench.run(1000);
  CHECK(bench.host.messages<HelloMessage>().size() == 2);
  REQUIRE(bench.host.messages<AckMessage>().size() == 1);
  CHECK(bench.host.messages<AckMessage>()[0].message.command_seq == 42);
}

TEST_CASE("a press is sent twice with its raw edge time and one number") {
  Bench bench;
  bench.run(10000);
  bench.button.change(9000, true);
  bench.run(90000);
  const auto sent = bench.host.messages<ButtonMessage>();
  REQUIRE(sent.size() == 2);
  for (const auto &one : sent) {
    CHECK(one.header.t_us == 9000);
    CHECK(one.message.pressed == 1);
    CHECK(one.message.count == 1);
  }
}

TEST_CASE("a ping is answered with its arrival and the wait on the wire") {
  Bench bench;
  bench.run(200000);
  bench.host.deliver(PingMessage{}, 0);
  bench.run(1000);
  const auto pongs = bench.host.messages<PongMessage>();
  REQUIRE(pongs.size() == 1);
  CHECK(pongs[0].header.t_us == 200000);
  CHECK(pongs[0].message.wait == PREPARE_US);
}

TEST_CASE("stops are checked, kept and reported") {
  Bench bench;
  CommandMessage command;
  command.command = Command::SetClosedStop;
  command.argument = 600;
  bench.host.deliver(command, 1);
  bench.run(1000);
  command.argument = 520;  // on the open stop
  bench.host.deliver(command, 2);
  bench.run(1000);
  REQUIRE(bench.settings.saved.size() == 1);
  CHECK(bench.settings.saved[0].closed == 600);
  const auto acks = bench.host.messages<AckMessage>();
  REQUIRE(acks.size() == 2);
  CHECK(acks[0].message.result == Result::Done);
  CHECK(acks[1].message.result == Result::OutOfRange);
}

TEST_CASE("an unknown command is refused politely") {
  Bench bench;
  CommandMessage command;
  command.command = Command(99);
  bench.host.deliver(command, 1);
  bench.run(1000);
  REQUIRE(bench.host.messages<AckMessage>().size() == 1);
  CHECK(bench.host.messages<AckMessage>()[0].message.result == Result::Unknown);
}

TEST_CASE("a full line drops messages, counts them, and leaves a gap in the numbers") {
  Bench bench;
  bench.run(1000);
  bench.host.free = 0;
  bench.button.change(1000, true);
  bench.run(40000);
  bench.host.free = 255;
  bench.run(1100000);
  const auto stats = bench.host.messages<StatsMessage>();
  REQUIRE(stats.size() == 1);
  CHECK(stats[0].message.host_drops >= 1);
  CHECK(stats[0].header.seq > 1);
}

TEST_CASE("a silent servo is a fault that the host hears of") {
  Bench bench;
  bench.run(500000);
  const auto faults = bench.host.messages<FaultMessage>();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].message.fault == Fault::ServoMissing);
  CHECK(bench.device.state() == State::Fault);
}

TEST_CASE("an override ends when its host falls silent, also across the wrap of the clock, and lasts while it speaks") {
  for (uint32_t start : {0u, 0xFFFFFFFFu - 1500000u}) {
    Bench bench(start);
    bench.find_servo();
    CommandMessage command;
    command.command = Command::Close;
    bench.host.deliver(command, 1);
    for (int second = 0; second < 5; second++) {
      bench.run(1000000);
      CHECK(bench.goal() == 812);
      bench.host.deliver(PingMessage{});
    }
    bench.run(1900000);
    CHECK(bench.goal() == 812);
    bench.run(200000);
    CHECK(bench.goal() == 512);
  }
}

TEST_CASE("a flood from the host costs a turn no more than its share, and no press") {
  Bench bench;
  bench.find_servo();
  bench.host.incoming.assign(5000, 0x55);
  bench.button.change(bench.t, true);
  const size_t before = bench.host.incoming.size();
  bench.run(200);
  CHECK(bench.host.incoming.size() >= before - 2 * BYTES_PER_TURN);
  bench.run(DEBOUNCE_US + 400);
  CHECK(bench.goal() == 812);
}

TEST_CASE("the boot counter survives a torn write of either slot") {
  uint8_t slots[2][RECORD_SIZE] = {{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
  uint32_t last = 0;
  for (int boot = 0; boot < 20; boot++) {
    const BootSlot next = next_boot(slots[0], slots[1]);
    CHECK(next.boot_id == last + 1);
    encode_record(next.boot_id, slots[next.slot]);
    last = next.boot_id;
    uint8_t torn[2][RECORD_SIZE];
    for (int s = 0; s < 2; s++)
      for (int i = 0; i < RECORD_SIZE; i++) torn[s][i] = slots[s][i];
    torn[next.slot][2] ^= 0x55;
    if (boot > 0) CHECK(next_boot(torn[0], torn[1]).boot_id == last);
  }
}
