// The whole device against any host, servo and button: it never asks the servo for more than it may, and never closes on heat.
#include <algorithm>

#include "../tests/fakes.h"
#include "device.h"
#include "fuzz.h"

using namespace gripper;

namespace {

constexpr uint8_t GOAL = 6, TORQUE = 10, TEMPERATURE = 19, VALUES_AT = 6;

// The script: one byte says what happens, the next ones with what.
struct Script {
  const uint8_t *at;
  const uint8_t *end;
  bool more() const { return at < end; }
  uint8_t next() { return more() ? *at++ : uint8_t(0); }
};

struct World {
  FakeHostPort host;
  FakeServoPort servo;
  FakeButton button;
  FakeSettings settings;
  Device device;
  uint32_t t;

  explicit World(uint32_t start_us)
      : device(host, servo, button, settings, {1, 1, ResetCause::Power, {512, 812}}), t(start_us) {
    servo.answers = true;
    servo.block[TEMPERATURE] = 30;
    device.begin(t);
  }

  void pass(uint32_t turns) {
    for (; turns; turns--) {
      host.clock_us = t += 200;
      device.poll(t);
      check_commands();
    }
  }

  void check_commands() {
    for (const auto &packet : servo.packets) {
      must(packet.size() <= dynamixel::MAX_PACKET && packet[0] == 0xFF && packet[1] == 0xFF && packet[2] == SERVO_ID);
      if (packet[4] != 3 || packet.size() < 18) continue;
      const uint8_t *values = packet.data() + VALUES_AT;
      must(get_u16(values + GOAL) <= MAX_TICKS);
      must(get_u16(values + TORQUE) <= GripConfig().closing_torque);
      if (device.state() == State::Fault) must(get_u16(values + TORQUE) <= GripConfig().release_torque);
    }
    servo.packets.clear();
  }
};

void act(World &world, Script &script) {
  const uint8_t what = script.next();
  switch (what % 8) {
    case 0: return world.pass(1 + script.next());
    case 1: return world.button.change(world.t, what & 8);
    case 2: world.servo.answers = what & 8; return;
    case 3: world.servo.block[script.next() % world.servo.block.size()] = script.next(); return;
    case 4: world.servo.incoming.push_back(script.next()); return;
    case 5: world.host.incoming.push_back(script.next()); return;
    case 6: {
      CommandMessage command;
      command.command = Command(script.next() % 8);
      command.argument = uint16_t(script.next() * 5);
      return world.host.deliver(command, script.next());
    }
    default: world.servo.busy = what & 8; return;
  }
}

// A hot servo that answers: however it came here, the fingers open and the motor goes off, until it has cooled.
void overheat(World &world) {
  world.servo.answers = true;
  world.servo.busy = false;
  world.servo.incoming.clear();
  world.servo.block[TEMPERATURE] = 70;
  world.pass(2000);
  must(world.device.state() == State::Fault);
  world.button.change(world.t, true);
  world.pass(10000);
  must(world.device.state() == State::Fault && !world.servo.block[0]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  Script script = {bytes, bytes + std::min<size_t>(size, 400)};
  World world(script.next() % 2 ? 0xFFFFFFFFu - 200u * script.next() : 0);
  while (script.more()) act(world, script);
  overheat(world);
  return 0;
}
