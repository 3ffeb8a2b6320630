#include "host.h"

namespace gripper {

void Host::send_body(uint8_t type, const uint8_t *body, uint8_t size, uint32_t t_us, Importance importance) {
  uint8_t frame[MAX_FRAME];
  const uint8_t length = encode_frame({type, seq_++, t_us}, body, size, frame);  // a dropped message leaves a gap
  const uint8_t spare = importance == Importance::Reading ? EVENT_ROOM : 0;
  if (port_.room() < length + spare || !port_.write(frame, length)) {
    count_up(drops_);
    return;
  }
  wire_free_us_ = start_us(port_.now_us()) + uint32_t(length) * HOST_BYTE_US;
}

bool Host::receive(uint32_t &t_us) {
  uint8_t byte;
  for (uint8_t left = BYTES_PER_TURN; left && port_.read(byte, t_us); left--)
    if (reader_.feed(byte)) return true;
  return false;
}

}  // namespace gripper
