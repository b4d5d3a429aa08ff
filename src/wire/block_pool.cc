#include "wire/block_pool.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace modelmill::wire {
namespace {

constexpr size_t kSizeStep = 64;
constexpr size_t kClasses = 16;  // blocks of up to 1 KB, header included
constexpr uint32_t kNotPooled = kClasses;
constexpr uint32_t kLent = kClasses + 1;
constexpr uint32_t kKeptOfEach = 256;

/// Before every block; the user's part stays aligned as malloc's.
struct alignas(16) Header {
  uint32_t size_class;  // or kNotPooled, kLent
  size_t size;          // that the user may use
};

struct Free {
  Free* next;
};

/// A thread's lists. Not a class with a destructor's checks on each use: trivial to reach, freed by Reaper at the end.
struct Lists {
  std::array<Free*, kClasses> first{};
  std::array<uint32_t, kClasses> count{};
  bool closed = false;
};
thread_local Lists t_lists;

struct Reaper {
  ~Reaper() {
    t_lists.closed = true;
    for (Free*& list : t_lists.first)
      while (list != nullptr) std::free(std::exchange(list, list->next));
  }
};

size_t class_of(size_t total) { return (total + kSizeStep - 1) / kSizeStep - 1; }

}  // namespace

void* pool_allocate(size_t size) {
  if (size > SIZE_MAX / 2) return nullptr;
  const size_t total = size + sizeof(Header);
  const size_t size_class = class_of(total);
  void* raw = nullptr;
  size_t usable = size;
  if (size_class < kClasses) {
    usable = (size_class + 1) * kSizeStep - sizeof(Header);
    if (Free*& list = t_lists.first[size_class]; list != nullptr) {
      raw = std::exchange(list, list->next);
      --t_lists.count[size_class];
    }
  }
  if (raw == nullptr) raw = std::malloc(usable + sizeof(Header));
  if (raw == nullptr) return nullptr;
  auto* header = new (raw) Header{static_cast<uint32_t>(std::min<size_t>(size_class, kNotPooled)), usable};
  return header + 1;
}

void pool_free(void* block) {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  const uint32_t size_class = header->size_class;
  if (size_class == kLent) return;
  if (size_class == kNotPooled || t_lists.closed || t_lists.count[size_class] == kKeptOfEach) return std::free(header);
  static thread_local Reaper t_reaper;
  (void)t_reaper;
  t_lists.first[size_class] = new (header) Free{t_lists.first[size_class]};
  ++t_lists.count[size_class];
}

size_t pool_lent_size(size_t size) { return sizeof(Header) + size; }

void* pool_lend(void* room, size_t size) { return new (room) Header{kLent, size} + 1; }

void* pool_reallocate(void* block, size_t size) {
  if (block == nullptr) return pool_allocate(size);
  Header* header = static_cast<Header*>(block) - 1;
  if (size <= header->size) return block;
  void* bigger = pool_allocate(size);
  if (bigger == nullptr) return nullptr;
  std::memcpy(bigger, block, header->size);
  pool_free(block);
  return bigger;
}

}  // namespace modelmill::wire
