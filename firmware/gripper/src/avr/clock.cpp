#include "clock.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <util/atomic.h>

#include "../core/counter.h"

namespace gripper {

namespace {

constexpr uint8_t BUTTON_BIT = PL1;
constexpr uint8_t TIMER_MODE = _BV(ICNC5) | _BV(CS51);  // noise canceller; 16 MHz / 8: two ticks per microsecond

volatile uint32_t overflows;  // of 32.768 ms
volatile uint16_t lost_edges;
Ring<Edge, 32> edges;

// With interrupts off. An overflow that is not served yet belongs to ticks that have begun anew.
inline uint32_t to_us(uint16_t ticks) {
  uint32_t high = overflows;
  if ((TIFR5 & _BV(TOV5)) && ticks < 0x8000) high++;
  // high << 15 | ticks >> 1, in moves of whole bytes: a shift by 15 would take 6 us, and every byte of the servo 10.
  const uint32_t us = (high << 16 | ticks) >> 1;
  return high & 0x10000 ? us | 0x80000000 : us;
}

inline bool pin_pressed() { return !(PINL & _BV(BUTTON_BIT)); }

inline void store(uint16_t ticks, bool pressed) {
  if (edges.push({to_us(ticks), pressed})) return;
  const uint16_t lost = lost_edges;
  if (lost != 0xFFFF) lost_edges = lost + 1;
}

// Listen for the edge that ends the level `pressed`. A change of the edge select must be followed by clearing the flag.
inline void listen(bool pressed) {
  TCCR5B = pressed ? TIMER_MODE | _BV(ICES5) : TIMER_MODE;
  TIFR5 = _BV(ICF5);
}

}  // namespace

void clock_begin() {
  DDRL &= ~_BV(BUTTON_BIT);
  PORTL |= _BV(BUTTON_BIT);
  TCCR5A = 0;
  TCCR5B = TIMER_MODE;
  TCNT5 = 0;
  TIFR5 = _BV(ICF5) | _BV(TOV5);
  TIMSK5 = _BV(ICIE5) | _BV(TOIE5);
}

uint32_t now_us() {
  uint32_t t;
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { t = to_us(TCNT5); }
  return t;
}

bool CaptureButton::read(Edge &edge) { return edges.pop(edge); }

bool CaptureButton::pressed() const { return pin_pressed(); }

uint16_t CaptureButton::lost() const {
  uint16_t lost;
  ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { lost = lost_edges; }
  return lost;
}

}  // namespace gripper

ISR(TIMER5_OVF_vect) { gripper::overflows = gripper::overflows + 1; }

ISR(TIMER5_CAPT_vect) {
  using namespace gripper;
  const uint16_t ticks = ICR5;
  bool pressed = !(TCCR5B & _BV(ICES5));
  listen(pressed);
  store(ticks, pressed);
  if (pin_pressed() == pressed) return;
  // It has bounced back already, before anybody listened for that.
  pressed = !pressed;
  listen(pressed);
  store(TCNT5, pressed);
}
