// COBS frames with a header and a checksum, as docs/gripper-protocol.md describes them.
#pragma once

#include <stdint.h>

#include "messages.h"

namespace gripper {

constexpr uint8_t MAX_RAW = HEADER_SIZE + MAX_BODY + 2;
constexpr uint8_t MAX_FRAME = MAX_RAW + 2;  // COBS adds one byte to less than 254, the delimiter one more

struct Header {
  uint8_t type;
  uint8_t seq;
  uint32_t t_us;
};

// Writes one frame with its delimiter to `frame` [MAX_FRAME]; its length.
uint8_t encode_frame(const Header &header, const uint8_t *body, uint8_t body_size, uint8_t *frame);

// Collects bytes into frames. Anything that is no valid frame is counted and skipped up to the next delimiter.
class FrameReader {
 public:
  // True when the byte completed a valid frame: then header(), body() and body_size() hold until the next feed.
  bool feed(uint8_t byte);

  const Header &header() const { return header_; }
  const uint8_t *body() const { return raw_ + HEADER_SIZE; }
  uint8_t body_size() const { return body_size_; }
  uint16_t errors() const { return errors_; }

 private:
  bool finish();
  void put(uint8_t byte);
  void restart();

  Header header_ = {0, 0, 0};
  uint8_t raw_[MAX_RAW] = {0};
  uint8_t size_ = 0;         // bytes in raw_
  uint8_t body_size_ = 0;
  uint8_t block_left_ = 0;   // data bytes before the next COBS code
  bool zero_pending_ = false;
  bool started_ = false;
  bool overflow_ = false;
  uint16_t errors_ = 0;
};

}  // namespace gripper
