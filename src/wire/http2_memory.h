#pragma once

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "wire/zero_page.h"

namespace modelmill::wire {

/// What nghttp2 works in, for one session. Small blocks come from the thread's pool. Two that every session has, and
/// that together are more than all the rest, cost a session nothing while it rests: the buffer in which nghttp2 puts
/// frames together, 16 KB, is lent by the thread to all of its sessions, since a frame is taken out of it before the
/// next one is begun; and the table of streams, 4 KB, is zeros while there are none. Made, and used by one thread at a
/// time; the sessions of a thread move to no other one.
class Http2Memory {
 public:
  Http2Memory() = default;
  Http2Memory(const Http2Memory&) = delete;
  Http2Memory& operator=(const Http2Memory&) = delete;

  /// A server's session in this memory, which outlives it. Call once.
  nghttp2_session* make_session(const nghttp2_session_callbacks* callbacks, void* user, const nghttp2_option* option);
  /// The session has no stream, and nothing is expected of it soon.
  void rest() { table_.rest(); }

 private:
  static void* allocate(size_t size);
  static void* allocate_zeros(size_t count, size_t size);
  static void* reallocate(void* block, size_t size);
  void* lend_frame_buffer();

  MemoryRef frame_buffer_;
  ZeroPage table_;
};

}  // namespace modelmill::wire
