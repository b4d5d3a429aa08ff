#include "wire/http2_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "wire/block_pool.h"

namespace modelmill::wire {
namespace {

/// What nghttp2 asks for as its frame buffer: a frame's head, a byte for its padding, and the largest payload that
/// every peer takes. For a longer header block it asks for more of the same, and those are a session's own.
constexpr size_t kFrameBuffer = 9 + 1 + 16384;

/// The session that is being made on this thread: what it asks for meanwhile, it has for life.
thread_local Http2Memory* t_making = nullptr;

/// Blocks that belong to a session's Http2Memory stay when nghttp2 frees them.
void release(void* block) {
  if (!ZeroPage::holds(block)) pool_free(block);
}

}  // namespace

nghttp2_session* Http2Memory::make_session(const nghttp2_session_callbacks* callbacks, void* user,
                                           const nghttp2_option* option) {
  nghttp2_mem functions = {nullptr, [](size_t size, void*) { return allocate(size); },
                           [](void* block, void*) { release(block); },
                           [](size_t count, size_t size, void*) { return allocate_zeros(count, size); },
                           [](void* block, size_t size, void*) { return reallocate(block, size); }};
  nghttp2_session* session = nullptr;
  t_making = this;
  const int error = nghttp2_session_server_new3(&session, callbacks, user, option, &functions);
  t_making = nullptr;
  MM_CHECK(error == 0, "out of memory");
  return session;
}

void* Http2Memory::allocate(size_t size) {
  if (size == kFrameBuffer && t_making != nullptr && !t_making->frame_buffer_) return t_making->lend_frame_buffer();
  return pool_allocate(size);
}

void* Http2Memory::allocate_zeros(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  if (count * size == ZeroPage::kSize && t_making != nullptr && t_making->table_.get() == nullptr)
    if (void* page = t_making->table_.take()) return page;
  void* block = pool_allocate(count * size);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* Http2Memory::reallocate(void* block, size_t size) {
  if (block == nullptr) return allocate(size);
  if (!ZeroPage::holds(block)) return pool_reallocate(block, size);
  void* other = pool_allocate(size);
  if (other != nullptr) std::memcpy(other, block, std::min(size, ZeroPage::kSize));
  return other;
}

void* Http2Memory::lend_frame_buffer() {
  static thread_local MemoryRef t_frame_buffer = Memory::allocate(pool_lent_size(kFrameBuffer));
  frame_buffer_ = t_frame_buffer;
  return pool_lend(frame_buffer_->data(), kFrameBuffer);
}

}  // namespace modelmill::wire
