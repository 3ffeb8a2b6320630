#include "grip.h"

namespace gripper {

namespace {

uint16_t distance(uint16_t a, uint16_t b) { return a > b ? uint16_t(a - b) : uint16_t(b - a); }

uint16_t clamp_ticks(int16_t ticks) {
  if (ticks < 0) return 0;
  return ticks > int16_t(MAX_TICKS) ? MAX_TICKS : uint16_t(ticks);
}

}  // namespace

bool Grip::wants_closed() const { return wish_ == Wish::FollowButton ? pressed_ : wish_ == Wish::Closed; }

void Grip::button(bool pressed, uint32_t now_us) {
  pressed_ = pressed;
  follow_wish(now_us);
}

void Grip::wish(Wish wish, uint32_t now_us) {
  wish_ = wish;
  follow_wish(now_us);
}

// Faults end in readings, not here: nobody's press restarts a motor that is in trouble.
void Grip::follow_wish(uint32_t now_us) {
  if (state_ == State::Fault || !started_) return;
  const bool closed = state_ == State::Closing || state_ == State::Holding;
  // At rest in the right state there is still a way to go when the stops have been changed or something was in the way.
  const bool off_stop = !contact_ && target_.goal != (closed ? stops_.closed : stops_.open);
  if (wants_closed() && (!closed || off_stop)) close(now_us);
  if (!wants_closed() && (closed || off_stop)) open(now_us);
}

void Grip::reading(const ServoReading &reading) {
  position_ = reading.position;
  if (!started_) {
    started_ = true;
    wants_closed() ? close(reading.t_us) : open(reading.t_us);
  }
  watch_motor(reading);
  if (state_ == State::Fault)
    watch_fault(reading);
  else
    watch_motion(reading);
}

void Grip::health(ServoHealth health, uint32_t now_us) {
  if (health == health_) return;
  health_ = health;
  const bool missing = health == ServoHealth::Missing;
  const bool garbled = health == ServoHealth::Garbled;
  const bool was_lost = active(Fault::ServoMissing) || active(Fault::ServoGarbled);
  set_fault(Fault::ServoMissing, missing, 0, now_us);
  set_fault(Fault::ServoGarbled, garbled, 0, now_us);
  const bool lost = missing || garbled;
  if (lost && !was_lost) {
    resumes_ = started_ && state_ != State::Fault;
    enter(State::Fault, now_us);
  }
  // Without power the fingers went their own way: what was held is felt for anew.
  if (was_lost && !lost && resumes_) wants_closed() ? close(now_us) : open(now_us);
}

void Grip::set_fault(Fault fault, bool on, uint8_t detail, uint32_t t_us) {
  if (active(fault) == on) return;
  faults_ = uint8_t(faults_ ^ (1 << uint8_t(fault)));
  listener_.fault_changed(fault, on, detail, t_us);
}

void Grip::watch_motor(const ServoReading &reading) {
  set_fault(Fault::Voltage, reading.error & dynamixel::ERROR_VOLTAGE, reading.voltage, reading.t_us);
  const bool hot = reading.error & dynamixel::ERROR_OVERHEAT;
  const bool overloaded = reading.error & dynamixel::ERROR_OVERLOAD;
  const bool in_fault = motor_fault();
  if (hot || reading.temperature >= config_.hot_c)
    set_fault(Fault::Overheat, true, reading.temperature, reading.t_us);
  else if (reading.temperature <= config_.cool_c)
    set_fault(Fault::Overheat, false, reading.temperature, reading.t_us);
  if (overloaded) set_fault(Fault::Overload, true, reading.error, reading.t_us);
  if (motor_fault() && !in_fault) begin_release(reading.t_us);
}

void Grip::begin_release(uint32_t now_us) {
  target_ = {true, stops_.open, config_.move_speed, config_.release_torque};
  contact_ = false;
  enter(State::Fault, now_us);
}

void Grip::watch_fault(const ServoReading &reading) {
  const bool released = distance(reading.position, stops_.open) <= config_.reached ||
                        elapsed_us(entered_us_, reading.t_us) >= int32_t(config_.release_us);
  if (motor_fault() && released) target_.on = false;
  if (released && !(reading.error & dynamixel::ERROR_OVERLOAD))
    set_fault(Fault::Overload, false, reading.error, reading.t_us);
  // The servo stays off until a person wants it closed again: they have to let go first.
  if (!motor_fault() && !wants_closed()) enter(State::Idle, reading.t_us);
}

void Grip::watch_motion(const ServoReading &reading) {
  const bool late = elapsed_us(entered_us_, reading.t_us) >= int32_t(config_.motion_us);
  if (state_ == State::Closing) {
    if (distance(reading.position, stops_.closed) <= config_.reached) {
      hold(stops_.closed, false, reading.t_us);
    } else if (stalled(reading)) {
      hold(clamp_ticks(int16_t(int16_t(reading.position) + closing_sign() * config_.squeeze)), true, stall_us_);
    } else if (late) {
      hold(reading.position, false, reading.t_us);
    }
  } else if (state_ == State::Opening) {
    if (distance(reading.position, stops_.open) <= config_.reached)
      rest(stops_.open, reading.t_us);
    else if (stalled(reading) || late)
      rest(reading.position, reading.t_us);
  }
}

bool Grip::stalled(const ServoReading &reading) {
  const int8_t sign = state_ == State::Closing ? closing_sign() : int8_t(-closing_sign());
  const int16_t load = int16_t(reading.load * sign);
  const int16_t speed = int16_t(reading.speed * sign);
  const bool still = elapsed_us(entered_us_, reading.t_us) >= int32_t(config_.start_us) &&
                     load >= int16_t(config_.contact_load) && speed <= int16_t(config_.contact_speed);
  if (!still) {
    stall_count_ = 0;
    return false;
  }
  if (stall_count_++ == 0) stall_us_ = reading.t_us;
  return stall_count_ >= config_.contact_readings;
}

void Grip::enter(State state, uint32_t t_us) {
  const State previous = state_;
  state_ = state;
  entered_us_ = t_us;
  stall_count_ = 0;
  if (state != previous) listener_.state_changed(state, previous, contact_, position_, t_us);
}

void Grip::close(uint32_t now_us) {
  target_ = {true, stops_.closed, config_.move_speed, config_.closing_torque};
  contact_ = false;
  enter(State::Closing, now_us);
}

void Grip::open(uint32_t now_us) {
  target_ = {true, stops_.open, config_.move_speed, config_.opening_torque};
  contact_ = false;
  enter(State::Opening, now_us);
}

void Grip::hold(uint16_t goal, bool contact, uint32_t t_us) {
  target_ = {true, goal, config_.move_speed, config_.holding_torque};
  contact_ = contact;
  enter(State::Holding, t_us);
}

void Grip::rest(uint16_t goal, uint32_t t_us) {
  target_ = {true, goal, config_.move_speed, config_.holding_torque};
  enter(State::Idle, t_us);
}

}  // namespace gripper
