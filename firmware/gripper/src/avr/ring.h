// A ring buffer between one interrupt and the main loop. One side writes head, the other tail: bytes, so both are atomic.
#pragma once

#include <stdint.h>

namespace gripper {

// SIZE is a power of two up to 256; one place stays free.
template <class T, uint16_t SIZE>
class Ring {
 public:
  bool push(const T &item) {
    const uint8_t next = (head_ + 1) & (SIZE - 1);
    if (next == tail_) return false;
    items_[head_] = item;
    barrier();
    head_ = next;
    return true;
  }

  bool pop(T &item) {
    if (head_ == tail_) return false;
    item = items_[tail_];
    barrier();
    tail_ = (tail_ + 1) & (SIZE - 1);
    return true;
  }

  bool empty() const { return head_ == tail_; }
  uint8_t room() const { return uint8_t((tail_ - head_ - 1) & (SIZE - 1)); }
  void clear() { tail_ = head_; }

 private:
  // The item must be in memory before the index says so.
  static void barrier() { asm volatile("" ::: "memory"); }

  T items_[SIZE] = {};
  volatile uint8_t head_ = 0;
  volatile uint8_t tail_ = 0;
};

}  // namespace gripper
