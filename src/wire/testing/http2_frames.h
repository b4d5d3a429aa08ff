#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/testing/test_server.h"

namespace modelmill::wire {

/// Frames by hand, for what no client library would send.
enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};
inline constexpr uint8_t kEndStream = 1;
inline constexpr uint8_t kAck = 1;
inline constexpr uint8_t kEndHeaders = 4;

inline std::string big_endian(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}
inline std::string frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string out = big_endian(static_cast<uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  out += big_endian(stream);
  out += payload;
  return out;
}
inline std::string preface() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0); }
/// GET http://t/ and POST http://t/, compressed.
inline const std::string kGetBlock = "\x82\x86\x84\x41\x01t";
inline const std::string kPostBlock = "\x83\x86\x84\x41\x01t";
inline std::string get_frame(uint32_t stream) { return frame(kHeaders, kEndStream | kEndHeaders, stream, kGetBlock); }
inline std::string reset_frame(uint32_t stream) { return frame(kRstStream, 0, stream, big_endian(8)); }
inline std::string settings_frame(uint16_t id, uint32_t value) {
  return frame(kSettings, 0, 0, big_endian(id).substr(2) + big_endian(value));
}

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

/// The next frame; none at the connection's end.
inline std::optional<Frame> read_frame(RawClient& client) {
  const auto number = [](std::string_view bytes) {
    uint32_t n = 0;
    for (const char c : bytes) n = n << 8 | static_cast<uint8_t>(c);
    return n;
  };
  const std::string head = client.read_exactly(9);
  if (head.size() < 9) return std::nullopt;
  Frame out{static_cast<uint8_t>(head[3]), static_cast<uint8_t>(head[4]), number(std::string_view(head).substr(5)), {}};
  out.payload = client.read_exactly(number(std::string_view(head).substr(0, 3)));
  return out;
}
/// The next frame of that type; none when the connection ends before.
inline std::optional<Frame> read_frame(RawClient& client, FrameType type) {
  while (auto next = read_frame(client))
    if (next->type == type) return next;
  return std::nullopt;
}
/// The error code of the GOAWAY that ends the connection; -1 when there is none. Notices of a shutdown are passed over.
inline int goaway_error(RawClient& client) {
  int error = -1;
  while (auto goaway = read_frame(client, kGoaway)) error = static_cast<uint8_t>(goaway->payload.at(7));
  return error;
}

}  // namespace modelmill::wire
