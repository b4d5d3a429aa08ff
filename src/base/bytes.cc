#include "base/bytes.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace modelmill {
namespace {

constexpr size_t round_up(size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

MemoryRef Memory::allocate(size_t size) {
  static_assert(sizeof(Memory) <= kAlignment);
  if (size > SIZE_MAX - 2 * kAlignment) throw std::bad_alloc();
  void* block = std::aligned_alloc(kAlignment, round_up(kAlignment + size));
  if (block == nullptr) throw std::bad_alloc();
  auto* memory = new (block) Memory(static_cast<std::byte*>(block) + kAlignment, size, nullptr, nullptr);
  return MemoryRef(memory);
}

MemoryRef Memory::adopt(void* data, size_t size, Release release, void* context) {
  void* block = std::malloc(sizeof(Memory));
  if (block == nullptr) throw std::bad_alloc();
  return MemoryRef(new (block) Memory(static_cast<std::byte*>(data), size, release, context));
}

void Memory::drop() {
  if (release_ != nullptr) release_(context_);
  this->~Memory();
  std::free(this);
}

Bytes Bytes::copy_of(std::string_view text) {
  MemoryRef memory = Memory::allocate(text.size());
  if (!text.empty()) std::memcpy(memory->data(), text.data(), text.size());
  return Bytes(std::move(memory));
}

Bytes Bytes::from_string(std::string text) {
  auto* owned = new std::string(std::move(text));
  return Bytes(Memory::adopt(
      owned->data(), owned->size(), [](void* p) { delete static_cast<std::string*>(p); }, owned));
}

}  // namespace modelmill
