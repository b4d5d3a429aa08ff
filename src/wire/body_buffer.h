#pragma once

#include <cstddef>
#include <span>

#include "base/bytes.h"

namespace modelmill::wire {

/// The most that is allocated for something of which `arrived` bytes are here and `total` were announced: memory
/// follows what was sent, not what was claimed.
size_t allowed_capacity(size_t arrived, size_t total);

/// A body that arrives in pieces, gathered into one block. When its length is known and the sender keeps its word, a
/// megabyte and what stands around it is placed once and never moved; more is moved as it grows by factors of eight.
/// Behind its end kPadding bytes of the memory are readable, as parsers of JSON like to have it.
class BodyBuffer {
 public:
  static constexpr size_t kPadding = 64;

  /// The length when it is known; may be left out.
  void expect(size_t total) { expected_ = total; }
  /// The byte that shall lie on a 64-byte boundary: the first, unless told otherwise before anything is here.
  void align_at(size_t offset) { lead_ = (kAlignment - offset % kAlignment) % kAlignment; }

  size_t size() const { return filled_; }
  /// Room to read into: at least 1 byte while size() < the expected length.
  std::span<std::byte> room();
  void commit(size_t n) { filled_ += n; }
  void append(std::span<const std::byte> bytes);
  /// The bytes so far; the buffer is empty afterwards.
  Bytes take();

 private:
  size_t capacity() const { return memory_ ? memory_->size() - lead_ - kPadding : 0; }
  void grow(size_t capacity);

  MemoryRef memory_;
  size_t lead_ = 0;  // bytes of memory_ before the body
  size_t filled_ = 0;
  size_t expected_ = 0;  // 0: not known
};

}  // namespace modelmill::wire
