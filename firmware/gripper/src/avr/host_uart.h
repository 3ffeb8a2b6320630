// USART0 to the host, both directions through interrupts.
#pragma once

#include <stdint.h>

#include "../core/ports.h"

namespace gripper {

class HostUart final : public HostPort {
 public:
  void begin();
  bool write(const uint8_t *bytes, uint8_t count) override;
  uint8_t room() const override;
  bool read(uint8_t &byte, uint32_t &t_us) override;
  uint32_t now_us() const override;
};

}  // namespace gripper
