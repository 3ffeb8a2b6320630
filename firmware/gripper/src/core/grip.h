// The gripper's behaviour: what the servo shall do, from the button, the host's wish and the servo's readings.
//
//   idle → closing → holding → opening → idle;  any → fault → idle
//
// Gripping is a stall. On contact the goal is brought back to where the fingers are and the torque cut to a holding level, so
// that a grip held for minutes neither overheats nor overloads the servo.
#pragma once

#include <stdint.h>

#include "messages.h"
#include "servo.h"

namespace gripper {

// Torques and loads are 1/1023 of stall torque, speeds 0.111 rpm, distances ticks.
struct GripConfig {
  uint16_t move_speed = 330;        // 300 ticks in 0.4 s
  uint16_t closing_torque = 700;
  uint16_t opening_torque = 500;
  uint16_t holding_torque = 200;    // below the fifth of stall torque that may last
  uint16_t release_torque = 300;    // opening after a fault
  uint8_t squeeze = 5;              // goal beyond the contact: outside the servo's compliance margin, within holding torque
  uint16_t contact_load = 180;
  uint16_t contact_speed = 40;
  uint8_t contact_readings = 3;     // 30 ms
  uint32_t start_us = 80000;        // after the start of a motion load and speed say nothing yet
  uint32_t motion_us = 2500000;     // no motion takes longer
  uint32_t release_us = 1500000;    // time to open in a fault before the servo is switched off
  uint8_t reached = 6;              // this close to a stop is there
  uint8_t hot_c = 65;               // open before the servo's own shutdown at 70
  uint8_t cool_c = 50;
};

enum class Wish : uint8_t { FollowButton, Open, Closed };

class GripListener {
 public:
  virtual void state_changed(State state, State previous, bool contact, uint16_t position, uint32_t t_us) = 0;
  virtual void fault_changed(Fault fault, bool active, uint8_t detail, uint32_t t_us) = 0;

 protected:
  ~GripListener() = default;
};

class Grip {
 public:
  Grip(const Stops &stops, GripListener &listener, const GripConfig &config = GripConfig())
      : stops_(stops), listener_(listener), config_(config) {}

  void button(bool pressed, uint32_t now_us);
  void wish(Wish wish, uint32_t now_us);
  void reading(const ServoReading &reading);
  void health(ServoHealth health, uint32_t now_us);
  // Takes effect with the next motion.
  void set_stops(const Stops &stops) { stops_ = stops; }

  State state() const { return state_; }
  const ServoTarget &target() const { return target_; }
  bool overridden() const { return wish_ != Wish::FollowButton; }
  bool motor_fault() const { return active(Fault::Overload) || active(Fault::Overheat); }
  const Stops &stops() const { return stops_; }

 private:
  bool wants_closed() const;
  bool active(Fault fault) const { return faults_ & (1 << uint8_t(fault)); }
  void set_fault(Fault fault, bool on, uint8_t detail, uint32_t t_us);
  void follow_wish(uint32_t now_us);
  void enter(State state, uint32_t t_us);
  void close(uint32_t now_us);
  void open(uint32_t now_us);
  void hold(uint16_t goal, bool contact, uint32_t t_us);
  void rest(uint16_t goal, uint32_t t_us);
  void begin_release(uint32_t now_us);
  void watch_motor(const ServoReading &reading);
  void watch_fault(const ServoReading &reading);
  void watch_motion(const ServoReading &reading);
  bool stalled(const ServoReading &reading);
  int8_t closing_sign() const { return stops_.closed > stops_.open ? 1 : -1; }

  Stops stops_;
  GripListener &listener_;
  const GripConfig config_;
  State state_ = State::Idle;
  ServoHealth health_ = ServoHealth::Searching;
  ServoTarget target_ = {false, 0, 0, 0};
  Wish wish_ = Wish::FollowButton;
  bool pressed_ = false;
  bool contact_ = false;
  bool started_ = false;    // the fingers have been brought to a known place once
  bool resumes_ = false;    // a lost servo goes on when it is back: it was lost in no other fault
  uint8_t faults_ = 0;      // bit per Fault
  uint16_t position_ = 0;
  uint32_t entered_us_ = 0;
  uint32_t stall_us_ = 0;   // first reading of the present stall
  uint8_t stall_count_ = 0;
};

}  // namespace gripper
