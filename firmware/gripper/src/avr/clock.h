// Microseconds from timer 5, and the button on its input capture pin: the hardware stamps an edge, whatever the CPU does.
#pragma once

#include <stdint.h>

#include "../core/ports.h"
#include "ring.h"

namespace gripper {

// Arduino D48 = PL1 = ICP5; closes to ground, pulled up.
void clock_begin();
uint32_t now_us();

class CaptureButton final : public ButtonPort {
 public:
  bool read(Edge &edge) override;
  bool pressed() const override;
  uint16_t lost() const override;
};

}  // namespace gripper
