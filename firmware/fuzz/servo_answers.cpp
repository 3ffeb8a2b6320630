// Any bytes on the servo's wire: an accepted answer is one, to the byte, and stays within its room.
#include "dynamixel.h"
#include "fuzz.h"

using namespace gripper::dynamixel;

namespace {

// The accepted packet must be the last bytes that came.
void check_packet(const StatusParser &parser, uint8_t id, const uint8_t *end, size_t available) {
  const size_t size = parser.count() + 6u;
  must(parser.count() <= MAX_PARAMETERS && size <= available);
  const uint8_t *packet = end - size;
  must(packet[0] == 0xFF && packet[1] == 0xFF && packet[2] == id);
  must(packet[3] == parser.count() + 2 && packet[4] == parser.error());
  uint8_t sum = 0;
  for (size_t i = 2; i < size - 1; i++) sum = uint8_t(sum + packet[i]);
  must(packet[size - 1] == uint8_t(~sum));
  for (uint8_t i = 0; i < parser.count(); i++) must(parser.parameters()[i] == packet[5 + i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (size == 0) return 0;
  const uint8_t id = bytes[0] % 253;
  StatusParser parser;
  parser.start(id);
  size_t begun = 1;
  for (size_t i = 1; i < size; i++) {
    const auto result = parser.feed(bytes[i]);
    if (result == StatusParser::Result::Incomplete) continue;
    if (result == StatusParser::Result::Packet) check_packet(parser, id, bytes + i + 1, i + 1 - begun);
    parser.start(id);
    begun = i + 1;
  }
  return 0;
}
