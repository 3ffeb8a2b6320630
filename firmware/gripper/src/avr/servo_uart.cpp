#include "servo_uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "../core/dynamixel.h"
#include "ring.h"

namespace gripper {

namespace {

constexpr uint8_t DIRECTION_BIT = PG5;
constexpr uint8_t LISTEN = _BV(RXEN1) | _BV(TXEN1) | _BV(RXCIE1);

uint8_t packet[dynamixel::MAX_PACKET];
volatile uint8_t packet_size;
volatile uint8_t packet_sent;
volatile bool driving;
Ring<uint8_t, 64> incoming;

}  // namespace

void ServoUart::begin() {
  PORTG &= ~_BV(DIRECTION_BIT);
  DDRG |= _BV(DIRECTION_BIT);
  PORTD |= _BV(PD2);  // RX1 pulled up: silence while the buffer is off
  UCSR1A = 0;
  UBRR1 = 0;  // 16 MHz / 16: exactly 1 Mbaud
  UCSR1C = _BV(UCSZ11) | _BV(UCSZ10);
  UCSR1B = LISTEN;
}

void ServoUart::send(const uint8_t *bytes, uint8_t count) {
  for (uint8_t i = 0; i < count; i++) packet[i] = bytes[i];
  packet_size = count;
  packet_sent = 0;
  driving = true;
  incoming.clear();
  PORTG |= _BV(DIRECTION_BIT);
  UCSR1B = LISTEN | _BV(UDRIE1);
}

bool ServoUart::sending() const { return driving; }

bool ServoUart::read(uint8_t &byte) { return incoming.pop(byte); }

}  // namespace gripper

ISR(USART1_UDRE_vect) {
  using namespace gripper;
  const uint8_t index = packet_sent;
  const uint8_t byte = packet[index];
  packet_sent = index + 1;
  if (packet_sent != packet_size) {
    UDR1 = byte;
    return;
  }
  // Cleared right after the last byte was written: only its own end can set the flag again.
  UDR1 = byte;
  UCSR1A = _BV(TXC1);
  UCSR1B = LISTEN | _BV(TXCIE1);
}

ISR(USART1_TX_vect) {
  using namespace gripper;
  PORTG &= ~_BV(DIRECTION_BIT);
  UCSR1B = LISTEN;
  driving = false;
}

// While sending, what comes in is the echo of a bus without a buffer.
ISR(USART1_RX_vect) {
  const uint8_t byte = UDR1;
  if (!gripper::driving) gripper::incoming.push(byte);
}
