// Any bytes on the host's line: nothing impossible is accepted, and what is accepted is a frame.
#include <string.h>

#include "framing.h"
#include "fuzz.h"

using namespace gripper;

namespace {

// All known messages, so that every decoder reads every body that is long enough for it.
template <class Message>
void decode_as(const FrameReader &reader) {
  if (reader.body_size() < Message::SIZE) return;
  Message message;
  decode(reader.body(), message);
  uint8_t body[MAX_BODY];
  encode(message, body);
  must(memcmp(body, reader.body(), Message::SIZE) == 0);
}

void check_frame(const FrameReader &reader) {
  must(reader.body_size() <= MAX_BODY);
  decode_as<HelloMessage>(reader);
  decode_as<PingMessage>(reader);
  decode_as<ServoMessage>(reader);
  decode_as<CommandMessage>(reader);
  decode_as<StatsMessage>(reader);
  uint8_t frame[MAX_FRAME];
  const uint8_t length = encode_frame(reader.header(), reader.body(), reader.body_size(), frame);
  must(length <= MAX_FRAME);
  FrameReader again;
  bool accepted = false;
  for (uint8_t i = 0; i < length; i++) accepted = again.feed(frame[i]);
  must(accepted && again.body_size() == reader.body_size());
  must(memcmp(again.body(), reader.body(), reader.body_size()) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  FrameReader reader;
  for (size_t i = 0; i < size; i++)
    if (reader.feed(bytes[i])) check_frame(reader);
  // Whatever came before: after a delimiter the next frame is read.
  reader.feed(0);
  const uint8_t ping[] = {5, 2, 1, 7, 7, 7, 1};
  uint8_t frame[MAX_FRAME];
  const uint8_t length = encode_frame({2, 1, 0x01020304}, ping, sizeof ping, frame);
  bool accepted = false;
  for (uint8_t i = 0; i < length; i++) accepted = reader.feed(frame[i]);
  must(accepted);
  return 0;
}
