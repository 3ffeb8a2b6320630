#include <doctest/doctest.h>

#include <vector>

#include "grip.h"

using namespace gripper;

namespace {

struct Listener final : GripListener {
  struct StateChange {
    State state;
    bool contact;
    uint32_t t_us;
  };
  struct FaultChange {
    Fault fault;
    bool active;
  };
  std::vector<StateChange> states;
  std::vector<FaultChange> faults;
  void state_changed(State state, State, bool contact, uint16_t, uint32_t t_us) override {
    states.push_back({state, contact, t_us});
  }
  void fault_changed(Fault fault, bool active, uint8_t, uint32_t) override { faults.push_back({fault, active}); }
};

// Fingers that follow the target at a finite speed and stall at an obstacle; 10 ms per step.
struct Bench {
  Listener listener;
  Grip grip{{512, 812}, listener};
  uint32_t t = 0;
  double position = 512;
  double obstacle = 2000;
  uint8_t temperature = 30;
  uint8_t error = 0;
  int16_t load = 0;

  void step(int count = 1) {
    for (; count; count--) {
      t += 10000;
      const double before = position;
      const ServoTarget target = grip.target();
      if (target.on && !(error & 36)) {
        const double move = target.goal - position;
        position += move > 7 ? 7 : move < -7 ? -7 : move;
        if (position > obstacle) position = obstacle;
      }
      const double speed = (position - before) / 0.01 / 2.27;
      const bool stalled = position == obstacle && target.on && target.goal > obstacle;
      const double excess = target.goal - obstacle;
      load = stalled ? int16_t(std::min<double>(target.torque, 32 * excess)) : int16_t(position > before ? 50 : 0);
      grip.health(ServoHealth::Present, t);
      grip.reading({t, 300, uint16_t(position), int16_t(speed), load, 111, temperature, 0, error});
    }
  }
  void press() { grip.button(true, t); }
  void release() { grip.button(false, t); }
};

}  // namespace

TEST_CASE("press closes to the stop, release opens again") {
  Bench bench;
  bench.step(10);
  CHECK(bench.grip.state() == State::Idle);
  bench.press();
  CHECK(bench.grip.state() == State::Closing);
  CHECK(bench.grip.target().goal == 812);
  bench.step(60);
  CHECK(bench.grip.state() == State::Holding);
  CHECK_FALSE(bench.listener.states.back().contact);
  bench.release();
  CHECK(bench.grip.state() == State::Opening);
  bench.step(60);
  CHECK(bench.grip.state() == State::Idle);
}

TEST_CASE("contact brings the goal back to the fingers and cuts the torque") {
  Bench bench;
  bench.obstacle = 650;
  bench.step(10);
  bench.press();
  bench.step(60);
  REQUIRE(bench.grip.state() == State::Holding);
  CHECK(bench.listener.states.back().contact);
  CHECK(bench.grip.target().goal == 655);
  CHECK(bench.grip.target().torque <= 1023 / 5);
  // Its time is the first reading of the stall, not the third.
  CHECK(bench.listener.states.back().t_us >= 300000);
  CHECK(bench.listener.states.back().t_us <= 320000);
}

TEST_CASE("stops on the other side work alike") {
  Listener listener;
  Grip grip({700, 300}, listener);
  grip.reading({0, 300, 700, 0, 0, 111, 30, 0, 0});
  grip.reading({10000, 300, 700, 0, 0, 111, 30, 0, 0});
  grip.button(true, 10000);
  CHECK(grip.target().goal == 300);
  for (uint32_t t = 100000; t <= 150000; t += 10000) grip.reading({t, 300, 500, 0, -400, 111, 30, 0, 0});
  CHECK(grip.state() == State::Holding);
  CHECK(grip.target().goal == 495);
}

TEST_CASE("an overload opens the fingers and waits for a fresh press") {
  Bench bench;
  bench.obstacle = 650;
  bench.step(10);
  bench.press();
  bench.step(60);
  bench.obstacle = 2000;
  bench.error = dynamixel::ERROR_OVERLOAD;
  bench.step();
  CHECK(bench.grip.state() == State::Fault);
  CHECK(bench.listener.faults.back().fault == Fault::Overload);
  CHECK(bench.grip.target().goal == 512);
  bench.error = 0;  // the new torque limit ended the shutdown
  bench.step(60);
  CHECK(bench.position <= 512 + 6);
  CHECK_FALSE(bench.listener.faults.back().active);
  CHECK(bench.grip.state() == State::Fault);  // still pressed: nothing closes by itself
  bench.release();
  bench.step();
  CHECK(bench.grip.state() == State::Idle);
  bench.press();
  CHECK(bench.grip.state() == State::Closing);
}

TEST_CASE("heat opens, switches off, and is not retried until cool and let go") {
  Bench bench;
  bench.obstacle = 650;
  bench.step(10);
  bench.press();
  bench.step(60);
  bench.obstacle = 2000;
  bench.temperature = 65;
  bench.step(60);
  CHECK(bench.grip.state() == State::Fault);
  CHECK(bench.position <= 512 + 6);
  CHECK_FALSE(bench.grip.target().on);
  bench.release();
  bench.temperature = 55;
  bench.step(20);
  bench.press();
  bench.step(20);
  CHECK(bench.grip.state() == State::Fault);
  CHECK_FALSE(bench.grip.target().on);
  bench.temperature = 50;
  bench.step(5);
  CHECK(bench.grip.state() == State::Fault);
  bench.release();
  bench.step();
  CHECK(bench.grip.state() == State::Idle);
  CHECK_FALSE(bench.grip.target().on);
  bench.press();
  CHECK(bench.grip.state() == State::Closing);
}

TEST_CASE("a servo lost in mid-grip is a fault; back again, the fingers do as the button wants") {
  Bench bench;
  bench.obstacle = 650;
  bench.step(10);
  bench.press();
  bench.step(60);
  bench.grip.health(ServoHealth::Missing, bench.t);
  CHECK(bench.grip.state() == State::Fault);
  CHECK(bench.listener.faults.back().fault == Fault::ServoMissing);
  SUBCASE("still pressed") {
    bench.step();
    CHECK(bench.grip.state() == State::Closing);
    bench.step(30);
    CHECK(bench.grip.state() == State::Holding);
    CHECK(bench.grip.target().goal == 655);
  }
  SUBCASE("let go meanwhile") {
    bench.release();
    bench.step();
    CHECK(bench.grip.state() == State::Opening);
  }
  CHECK_FALSE(bench.listener.faults.back().active);
}

TEST_CASE("a servo that is lost and found closes nothing that heat or overload has opened") {
  for (ServoHealth loss : {ServoHealth::Missing, ServoHealth::Garbled}) {
    for (bool heat : {true, false}) {
      Bench bench;
      bench.obstacle = 650;
      bench.step(10);
      bench.press();
      bench.step(60);
      if (heat)
        bench.temperature = 70;
      else
        bench.error = dynamixel::ERROR_OVERLOAD;
      bench.step();
      bench.error = 0;
      bench.step(200);
      bench.temperature = 40;
      bench.step();
      CHECK_FALSE(bench.grip.motor_fault());
      bench.grip.health(loss, bench.t);
      bench.step(30);
      CHECK(bench.grip.state() == State::Fault);  // still pressed
      CHECK(bench.grip.target().goal == 512);
      bench.release();
      bench.step();
      CHECK(bench.grip.state() == State::Idle);
    }
  }
}

TEST_CASE("the host overrides the button and gives it back") {
  Bench bench;
  bench.step(10);
  bench.grip.wish(Wish::Closed, bench.t);
  CHECK(bench.grip.state() == State::Closing);
  bench.press();
  bench.release();
  CHECK(bench.grip.state() == State::Closing);
  bench.grip.wish(Wish::FollowButton, bench.t);
  CHECK(bench.grip.state() == State::Opening);
}

TEST_CASE("a low battery is reported and changes nothing") {
  Bench bench;
  bench.step(10);
  bench.error = dynamixel::ERROR_VOLTAGE;
  bench.step(2);
  CHECK(bench.listener.faults.back().fault == Fault::Voltage);
  CHECK(bench.grip.state() == State::Idle);
}

TEST_CASE("blocked in opening, the fingers rest where they are") {
  Listener listener;
  Grip grip({512, 812}, listener);
  grip.reading({0, 300, 700, 0, 0, 111, 30, 0, 0});
  CHECK(grip.state() == State::Opening);
  for (uint32_t t = 100000; t <= 150000; t += 10000) grip.reading({t, 300, 650, 0, -400, 111, 30, 0, 0});
  CHECK(grip.state() == State::Idle);
  CHECK(grip.target().goal == 650);
}
