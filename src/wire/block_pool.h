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
