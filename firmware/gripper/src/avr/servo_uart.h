// USART1 to the servo's single wire at 1 Mbaud, through a 74HC241 whose direction is D4 (PG5): high sends, low listens.
#pragma once

#include <stdint.h>

#include "../core/ports.h"

namespace gripper {

class ServoUart final : public ServoPort {
 public:
  void begin();
  void send(const uint8_t *bytes, uint8_t count) override;
  bool sending() const override;
  bool read(uint8_t &byte) override;
};

}  // namespace gripper
