#include "runtime/thread_slot.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace modelmill {
namespace {

std::array<std::atomic<uint64_t>, kThreadSlots / 64> g_taken{};

size_t take() {
  for (size_t word = 0; word < g_taken.size(); ++word) {
    uint64_t taken = g_taken[word].load(std::memory_order_relaxed);
    while (taken != ~uint64_t{0}) {
      const int bit = std::countr_one(taken);
      if (g_taken[word].compare_exchange_weak(taken, taken | uint64_t{1} << bit, std::memory_order_acquire))
        return word * 64 + static_cast<size_t>(bit);
    }
  }
  return kThreadSlots;
}

/// Gives the number back when its thread ends.
struct Lease {
  const size_t slot = take();
  ~Lease() {
    if (slot < kThreadSlots) g_taken[slot / 64].fetch_and(~(uint64_t{1} << slot % 64), std::memory_order_release);
  }
};

}  // namespace

size_t thread_slot() {
  thread_local const Lease lease;
  return lease.slot;
}

}  // namespace modelmill
