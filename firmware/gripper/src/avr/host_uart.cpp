#include "host_uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "../core/messages.h"
#include "clock.h"
#include "ring.h"

namespace gripper {

namespace {

struct Received {
  uint8_t byte;
  uint32_t t_us;  // only of a zero byte, which ends a frame
};

Ring<uint8_t, 256> outgoing;
Ring<Received, 64> incoming;

}  // namespace

void HostUart::begin() {
  UCSR0A = _BV(U2X0);
  UBRR0 = uint16_t((F_CPU / 4 / HOST_BAUD - 1) / 2);
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

bool HostUart::write(const uint8_t *bytes, uint8_t count) {
  if (outgoing.room() < count) return false;
  for (uint8_t i = 0; i < count; i++) outgoing.push(bytes[i]);
  UCSR0B |= _BV(UDRIE0);
  return true;
}

uint8_t HostUart::room() const { return outgoing.room(); }

bool HostUart::read(uint8_t &byte, uint32_t &t_us) {
  Received received;
  if (!incoming.pop(received)) return false;
  byte = received.byte;
  t_us = received.t_us;
  return true;
}

uint32_t HostUart::now_us() const { return gripper::now_us(); }

}  // namespace gripper

ISR(USART0_UDRE_vect) {
  uint8_t byte;
  if (gripper::outgoing.pop(byte))
    UDR0 = byte;
  else
    UCSR0B &= ~_BV(UDRIE0);
}

// A byte without room is dropped: the frame's checksum tells.
ISR(USART0_RX_vect) {
  const uint8_t byte = UDR0;
  gripper::incoming.push({byte, byte == 0 ? gripper::now_us() : 0});
}
