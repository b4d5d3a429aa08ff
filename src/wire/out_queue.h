#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "tensor/tensor.h"

namespace modelmill::wire {

/// What a connection has to send, in order: small things copied together into blocks, large things shared where they
/// lie. Belongs to the loop's thread; an empty queue holds no memory.
class OutQueue {
 public:
  OutQueue() = default;
  ~OutQueue();
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;

  void append_copy(std::string_view text);
  /// Shares the bytes, unless they are so few that copying is cheaper.
  void append(const Bytes& bytes);
  void append(const Chunks& chunks) {
    for (const Bytes& bytes : chunks) append(bytes);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Fills `iov` with the first pieces; returns how many.
  size_t gather(std::span<iovec> iov) const;
  /// The first `n` bytes have been sent.
  void consume(size_t n);

 private:
  struct Piece {
    const std::byte* data;
    size_t size;
    MemoryRef owner;
  };
  void release_block();

  std::vector<Piece> pieces_;
  size_t first_ = 0;  // pieces before it have been sent
  size_t size_ = 0;
  MemoryRef block_;  // where copies go; referenced by pieces
  size_t block_used_ = 0;
};

}  // namespace modelmill::wire
