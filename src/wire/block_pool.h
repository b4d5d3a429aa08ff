#pragma once

#include <cstddef>
#include <new>

namespace modelmill::wire {

/// Small blocks of memory for what each request makes and drops again (a stream, nghttp2's frames): kept by size in
/// lists of the thread, longer than malloc's own per-thread lists, which many requests in flight overflow. Any thread
/// may free.
void* pool_allocate(size_t size);  // null when there is no memory
void* pool_reallocate(void* block, size_t size);
void pool_free(void* block);

/// Memory that someone else owns, dressed as a block of the pool: pool_free() leaves it where it is. Of `room`, which
/// has pool_lent_size(size) bytes and is aligned as malloc's; dressing it again changes nothing.
size_t pool_lent_size(size_t size);
void* pool_lend(void* room, size_t size);

/// For std::allocate_shared.
template <typename T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor)

  T* allocate(size_t n) {
    void* block = pool_allocate(n * sizeof(T));
    if (block == nullptr) throw std::bad_alloc();
    return static_cast<T*>(block);
  }
  void deallocate(T* block, size_t) { pool_free(block); }
  bool operator==(const PoolAllocator&) const { return true; }
};

}  // namespace modelmill::wire
