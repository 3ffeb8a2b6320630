#include "framing.h"

#include "counter.h"
#include "crc16.h"

namespace gripper {

namespace {

// COBS for less than 254 bytes; returns the encoded length without a delimiter.
uint8_t cobs_encode(const uint8_t *raw, uint8_t size, uint8_t *out) {
  uint8_t code_at = 0;
  uint8_t write = 1;
  for (uint8_t i = 0; i < size; i++) {
    if (raw[i]) {
      out[write++] = raw[i];
      continue;
    }
    out[code_at] = uint8_t(write - code_at);
    code_at = write++;
  }
  out[code_at] = uint8_t(write - code_at);
  return write;
}

}  // namespace

uint8_t encode_frame(const Header &header, const uint8_t *body, uint8_t body_size, uint8_t *frame) {
  uint8_t raw[MAX_RAW];
  put_u8(raw, header.type);
  put_u8(raw + 1, header.seq);
  put_u32(raw + 2, header.t_us);
  for (uint8_t i = 0; i < body_size; i++) raw[HEADER_SIZE + i] = body[i];
  const uint8_t size = uint8_t(HEADER_SIZE + body_size);
  put_u16(raw + size, crc16(raw, size));
  const uint8_t written = cobs_encode(raw, uint8_t(size + 2), frame);
  frame[written] = 0;
  return uint8_t(written + 1);
}

bool FrameReader::feed(uint8_t byte) {
  if (byte == 0) {
    const bool valid = finish();
    if (!valid && started_) count_up(errors_);
    restart();
    return valid;
  }
  started_ = true;
  if (block_left_ == 0) {
    if (zero_pending_) put(0);
    block_left_ = uint8_t(byte - 1);
    zero_pending_ = byte != 0xFF;
  } else {
    put(byte);
    block_left_--;
  }
  return false;
}

bool FrameReader::finish() {
  if (overflow_ || block_left_ || size_ < HEADER_SIZE + 2) return false;
  const uint8_t size = uint8_t(size_ - 2);
  if (crc16(raw_, size) != get_u16(raw_ + size)) return false;
  header_ = {get_u8(raw_), get_u8(raw_ + 1), get_u32(raw_ + 2)};
  body_size_ = uint8_t(size - HEADER_SIZE);
  return true;
}

void FrameReader::put(uint8_t byte) {
  if (size_ < MAX_RAW)
    raw_[size_++] = byte;
  else
    overflow_ = true;
}

void FrameReader::restart() {
  size_ = block_left_ = 0;
  zero_pending_ = started_ = overflow_ = false;
}

}  // namespace gripper
