#include "device.h"

namespace gripper {

namespace {

constexpr uint16_t MIN_STROKE = 20;  // ticks
constexpr uint8_t EDGES_PER_TURN = 32;

}  // namespace

bool valid_stops(const Stops &stops) {
  if (stops.open > MAX_TICKS || stops.closed > MAX_TICKS) return false;
  const uint16_t stroke = stops.open > stops.closed ? uint16_t(stops.open - stops.closed)
                                                    : uint16_t(stops.closed - stops.open);
  return stroke >= MIN_STROKE;
}

Device::Device(HostPort &host, ServoPort &servo, ButtonPort &button, SettingsPort &settings, const BootInfo &boot)
    : host_(host), servo_(servo), button_(button), settings_(settings), boot_(boot), grip_(boot.stops, *this) {}

void Device::begin(uint32_t now_us) {
  now_us_ = stats_us_ = host_heard_us_ = now_us;
  host_.begin(now_us);
  servo_.begin(now_us);
  send_hello();
}

void Device::poll(uint32_t now_us) {
  const uint32_t turn = now_us - now_us_;
  if (turn > loop_max_us_) loop_max_us_ = turn > 0xFFFF ? uint16_t(0xFFFF) : uint16_t(turn);
  now_us_ = now_us;
  poll_button();
  poll_servo();
  poll_host();
  poll_timers();
}

void Device::poll_button() {
  Edge edge;
  for (uint8_t left = EDGES_PER_TURN; left && button_.read(edge); left--) debouncer_.edge(edge);
  ButtonChange change;
  if (!debouncer_.poll(now_us_, button_.pressed(), change)) return;
  grip_.button(change.pressed, now_us_);
  poll_servo();  // the fingers before the news of them
  if (button_repeat_) send_button();  // the copy of the change before, early
  button_message_.pressed = change.pressed;
  button_message_.edges = change.edges;
  button_message_.count++;
  button_t_us_ = change.t_us;
  button_repeat_ = true;
  button_sent_us_ = now_us_;
  send_button();
}

void Device::send_button() { host_.send(button_message_, button_t_us_, Importance::Event); }

void Device::poll_servo() {
  servo_.set_target(grip_.target());
  ServoReading reading;
  const bool complete = servo_.poll(now_us_, debouncer_.settles_within(SERVO_BUSY_US, now_us_), reading);
  grip_.health(servo_.health(), now_us_);
  if (!complete) return;
  grip_.reading(reading);
  ServoMessage message;
  message.duration = reading.duration_us;
  message.position = reading.position;
  message.speed = reading.speed;
  message.load = reading.load;
  message.voltage = reading.voltage;
  message.temperature = reading.temperature;
  message.moving = reading.moving;
  message.error = reading.error;
  message.state = grip_.state();
  host_.send(message, reading.t_us, Importance::Reading);
}

void Device::poll_host() {
  uint32_t t_us;
  if (!host_.receive(t_us)) return;
  host_heard_us_ = now_us_;
  PingMessage ping;
  CommandMessage command;
  if (host_.as(ping)) {
    answer_ping(ping, t_us);
  } else if (host_.as(command)) {
    const uint8_t seq = host_.header().seq;
    AckMessage ack;
    ack.command_seq = seq;
    ack.command = command.command;
    ack.result = carry_out(command);
    host_.send(ack, now_us_, Importance::Event);
  }
}

void Device::answer_ping(const PingMessage &ping, uint32_t t_us) {
  PongMessage pong;
  pong.token = ping.token;
  const uint32_t wait = host_.next_start_us() - t_us;
  pong.wait = wait > 0xFFFF ? uint16_t(0xFFFF) : uint16_t(wait);
  host_.send(pong, t_us, Importance::Event);
}

Result Device::carry_out(const CommandMessage &command) {
  switch (command.command) {
    case Command::Identify:
      send_hello();
      return Result::Done;
    case Command::FollowButton:
      grip_.wish(Wish::FollowButton, now_us_);
      return Result::Done;
    case Command::Open:
      grip_.wish(Wish::Open, now_us_);
      return Result::Done;
    case Command::Close:
      if (grip_.motor_fault()) return Result::Refused;
      grip_.wish(Wish::Closed, now_us_);
      return Result::Done;
    case Command::SetOpenStop:
      return set_stops({command.argument, grip_.stops().closed});
    case Command::SetClosedStop:
      return set_stops({grip_.stops().open, command.argument});
  }
  return Result::Unknown;
}

Result Device::set_stops(const Stops &stops) {
  if (!valid_stops(stops)) return Result::OutOfRange;
  grip_.set_stops(stops);
  settings_.save(stops);
  return Result::Done;
}

void Device::poll_timers() {
  if (button_repeat_ && elapsed_us(button_sent_us_, now_us_) >= int32_t(BUTTON_REPEAT_MS) * 1000) {
    button_repeat_ = false;
    send_button();
  }
  // A host that forced the fingers and then vanished must not leave a person with a dead button.
  if (grip_.overridden() && elapsed_us(host_heard_us_, now_us_) >= int32_t(OVERRIDE_MS) * 1000)
    grip_.wish(Wish::FollowButton, now_us_);
  if (elapsed_us(stats_us_, now_us_) >= int32_t(STATS_PERIOD_MS) * 1000) {
    stats_us_ += uint32_t(STATS_PERIOD_MS) * 1000;
    send_stats();
  }
}

void Device::send_hello() {
  HelloMessage hello;
  hello.protocol = PROTOCOL_VERSION;
  hello.firmware = boot_.firmware;
  hello.boot_id = boot_.boot_id;
  hello.reset_cause = boot_.reset_cause;
  hello.open_stop = grip_.stops().open;
  hello.closed_stop = grip_.stops().closed;
  host_.send(hello, now_us_, Importance::Event);
}

void Device::send_stats() {
  StatsMessage stats;
  stats.host_drops = host_.drops();
  stats.host_errors = host_.errors();
  stats.servo_timeouts = servo_.timeouts();
  stats.servo_errors = servo_.errors();
  stats.short_presses = debouncer_.short_presses();
  stats.lost_edges = button_.lost();
  stats.loop_max = loop_max_us_;
  loop_max_us_ = 0;
  host_.send(stats, now_us_, Importance::Event);
}

void Device::state_changed(State state, State previous, bool contact, uint16_t position, uint32_t t_us) {
  StateMessage message;
  message.state = state;
  message.previous = previous;
  message.contact = contact;
  message.position = position;
  host_.send(message, t_us, Importance::Event);
}

void Device::fault_changed(Fault fault, bool active, uint8_t detail, uint32_t t_us) {
  FaultMessage message;
  message.fault = fault;
  message.active = active;
  message.detail = detail;
  host_.send(message, t_us, Importance::Event);
}

}  // namespace gripper
