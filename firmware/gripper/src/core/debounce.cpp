#include "debounce.h"

#include "counter.h"

namespace gripper {

void Debouncer::edge(const Edge &edge) {
  if (!unsettled_) {
    unsettled_ = true;
    first_us_ = edge.t_us;
    edges_ = 0;
  }
  level_ = edge.pressed;
  last_us_ = edge.t_us;
  count_up(edges_);
}

bool Debouncer::poll(uint32_t now_us, bool level, ButtonChange &change) {
  if (level != level_) {
    // An edge that came after the edges were read is there at the next poll, with its own time. One that is not was lost.
    if (differed_) edge({now_us, level});
    differed_ = !differed_;
    return false;
  }
  differed_ = false;
  if (!unsettled_) return false;
  if (elapsed_us(last_us_, now_us) < int32_t(DEBOUNCE_US)) return false;
  unsettled_ = false;
  if (level_ == stable_) {
    if (!stable_) count_up(short_presses_);
    return false;
  }
  stable_ = level_;
  change = {first_us_, stable_, edges_};
  return true;
}

}  // namespace gripper
