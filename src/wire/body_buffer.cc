#include "wire/body_buffer.h"

#include <algorithm>
#include <cstring>

namespace modelmill::wire {
namespace {

constexpr size_t kFree = size_t{1} << 20;  // granted before anything has arrived
constexpr size_t kFirst = 4096;            // of a body of unknown length

}  // namespace

size_t allowed_capacity(size_t arrived, size_t total) {
  const size_t allowed = arrived > (SIZE_MAX - kFree) / 4 ? SIZE_MAX : 4 * arrived + kFree;
  return std::min(allowed, total);
}

void BodyBuffer::grow(size_t capacity) {
  MemoryRef bigger = Memory::allocate(capacity);
  if (filled_ > 0) std::memcpy(bigger->data(), memory_->data(), filled_);
  memory_ = std::move(bigger);
}

std::span<std::byte> BodyBuffer::room() {
  const size_t capacity = memory_ ? memory_->size() : 0;
  if (filled_ == capacity) {
    if (expected_ > filled_)
      grow(allowed_capacity(filled_, expected_));
    else
      grow(std::max(kFirst, 2 * filled_));
  }
  return {memory_->data() + filled_, memory_->size() - filled_};
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
  Bytes all = memory_ ? Bytes(memory_, memory_->data(), filled_) : Bytes();
  memory_ = {};
  filled_ = 0;
  expected_ = 0;
  return all;
}

}  // namespace modelmill::wire
