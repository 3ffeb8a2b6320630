// The button: raw edges in, settled changes out.
#pragma once

#include <stdint.h>

#include "ports.h"

namespace gripper {

constexpr uint32_t DEBOUNCE_US = 12000;  // beyond the 10 ms a worn button may bounce, with the resonator's error

// One settled change. `t_us` is the first raw edge of the burst: when the finger moved, not when the bouncing ended.
struct ButtonChange {
  uint32_t t_us;
  bool pressed;
  uint8_t edges;
};

// A change counts when the contact then stays quiet for DEBOUNCE_US. Contacts that end where they began are counted as short.
class Debouncer {
 public:
  void edge(const Edge &edge);
  // True when a change has settled by `now_us`. `level` is the pin now: it decides when an edge was lost.
  bool poll(uint32_t now_us, bool level, ButtonChange &change);

  // Whether a change may settle within the next `us`.
  bool settles_within(int32_t us, uint32_t now_us) const {
    return unsettled_ && elapsed_us(last_us_, now_us) >= int32_t(DEBOUNCE_US) - us;
  }
  bool pressed() const { return stable_; }
  uint16_t short_presses() const { return short_presses_; }

 private:
  bool stable_ = false;
  bool level_ = false;
  bool unsettled_ = false;
  bool differed_ = false;  // the pin was not what the edges say, at the last poll
  uint32_t first_us_ = 0;
  uint32_t last_us_ = 0;
  uint8_t edges_ = 0;
  uint16_t short_presses_ = 0;
};

}  // namespace gripper
