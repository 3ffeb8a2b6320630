// The whole device without its hardware: call poll() again and again with the time.
#pragma once

#include <stdint.h>

#include "debounce.h"
#include "grip.h"
#include "host.h"
#include "messages.h"
#include "ports.h"
#include "servo.h"

namespace gripper {

struct BootInfo {
  uint32_t firmware;
  uint32_t boot_id;
  ResetCause reset_cause;
  Stops stops;
};

// True when servo stops make sense: on the scale and apart.
bool valid_stops(const Stops &stops);

class Device final : private GripListener {
 public:
  Device(HostPort &host, ServoPort &servo, ButtonPort &button, SettingsPort &settings, const BootInfo &boot);

  void begin(uint32_t now_us);
  void poll(uint32_t now_us);

  State state() const { return grip_.state(); }

 private:
  void poll_button();
  void poll_servo();
  void poll_host();
  void poll_timers();
  void answer_ping(const PingMessage &ping, uint32_t t_us);
  Result carry_out(const CommandMessage &command);
  Result set_stops(const Stops &stops);
  void send_hello();
  void send_stats();
  void send_button();
  void state_changed(State state, State previous, bool contact, uint16_t position, uint32_t t_us) override;
  void fault_changed(Fault fault, bool active, uint8_t detail, uint32_t t_us) override;

  Host host_;
  Servo servo_;
  ButtonPort &button_;
  SettingsPort &settings_;
  const BootInfo boot_;
  Debouncer debouncer_;
  Grip grip_;
  uint32_t now_us_ = 0;
  uint32_t stats_us_ = 0;
  uint32_t host_heard_us_ = 0;
  uint32_t button_sent_us_ = 0;
  bool button_repeat_ = false;
  uint32_t button_t_us_ = 0;
  ButtonMessage button_message_;
  uint16_t loop_max_us_ = 0;
};

}  // namespace gripper
