#include "wire/body_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace modelmill::wire {
namespace {

constexpr size_t kFree = (size_t{1} << 20) + (size_t{64} << 10);  // granted before anything has arrived
constexpr size_t kFactor = 8;                                     // granted for what has
constexpr size_t kFirst = 4096;                                   // of a body of unknown length

}  // namespace

size_t allowed_capacity(size_t arrived, size_t total) {
  const size_t allowed = arrived > (SIZE_MAX - kFree) / kFactor ? SIZE_MAX : kFactor * arrived + kFree;
  return std::min(allowed, total);
}

void BodyBuffer::grow(size_t capacity) {
  if (capacity > SIZE_MAX - lead_ - kPadding) throw std::bad_alloc();
  MemoryRef bigger = Memory::allocate(lead_ + capacity + kPadding);
  if (filled_ > 0) std::memcpy(bigger->data() + lead_, memory_->data() + lead_, filled_);
  memory_ = std::move(bigger);
}

std::span<std::byte> BodyBuffer::room() {
  if (filled_ == capacity()) {
    if (expected_ > filled_)
      grow(allowed_capacity(filled_, expected_));
    else
      grow(std::max(kFirst, 2 * filled_));
  }
  return {memory_->data() + lead_ + filled_, capacity() - filled_};
}

void BodyBuffer::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::span<std::byte> to = room();
    const size_t n = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), n);
    commit(n);
    bytes = bytes.subspan(n);
  }
}

Bytes BodyBuffer::take() {
  Bytes all = memory_ ? Bytes(memory_, memory_->data() + lead_, filled_) : Bytes();
  memory_ = {};
  lead_ = 0;
  filled_ = 0;
  expected_ = 0;
  return all;
}

}  // namespace modelmill::wire
