#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace modelmill::wire {

/// Holds an HTTP/2 client to the rules that nghttp2 leaves out, or leaves out in the mode that it is in: each stream's
/// id is larger than all before it (RFC 9113, 5.1.1); a stream that the client has ended, or reset, gets no more
/// headers or data (5.1); PRIORITY is about a stream (6.3), and not about its dependency on itself (RFC 7540, 5.3.1).
/// All of this shows in the client's own frames, so what the server does meanwhile plays no part. Of ended streams the
/// last few are remembered, and of ids that were passed over.
class ClientFrames {
 public:
  struct Verdict {
    size_t fine;     // so many of the bytes may be taken
    uint32_t error;  // of HTTP/2, by what comes after them; 0: there is none
  };
  /// The next bytes that the client has sent, its preface first. After an error there is no going on.
  Verdict check(std::span<const std::byte> bytes);

 private:
  static constexpr size_t kHead = 9;
  static constexpr size_t kDependency = 4;  // of a PRIORITY frame, after the head

  uint32_t check_frame();
  uint32_t check_stream(bool headers, uint32_t id);
  bool has_ended(uint32_t id) const;

  struct Range {
    uint32_t first = 1, last = 0;
  };
  size_t skip_ = 24;  // bytes that need no look; at first the preface
  std::array<uint8_t, kHead + kDependency> head_{};
  size_t head_filled_ = 0;
  uint32_t next_id_ = 1;
  std::array<uint32_t, 8> ended_{};
  uint32_t ended_count_ = 0;
  std::array<Range, 4> passed_over_{};
  uint32_t passed_over_count_ = 0;
};

}  // namespace modelmill::wire
