#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"

namespace modelmill {

/// A request that a route's split gave an arm. Texts are there as their stable_hash().
struct Exposure {
  uint64_t user = 0;        // the sticky key's value; 0: the route or the request has none
  uint64_t request = 0;     // the request's id; 0: it has none
  uint64_t arm = 0;         // the arm's target, as a text
  uint64_t assignment = 0;  // assignment_hash() of the route that chose
};

/// Where a route leaves who got which arm for whoever wants to know. Until somebody does, it costs a route one relaxed
/// load for each request; then a lock of the thread's own, and never more memory than kMost. Thread-safe.
class Exposures {
 public:
  /// So many can wait to be taken.
  static constexpr size_t kMost = size_t{1} << 20;

  bool are_wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// What waits is forgotten when they are not wanted any more.
  void want(bool wanted);

  void add(const Exposure& exposure);

  /// Those since the last time, in no order between threads; every one whose add() has returned.
  std::vector<Exposure> take();
  /// How many there was no room for, ever.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kSlots = 16;
  struct alignas(64) Slot {
    Mutex mutex;
    std::vector<Exposure> waiting MM_GUARDED_BY(mutex);
  };

  std::atomic<bool> wanted_{false};
  std::atomic<uint64_t> dropped_{0};
  std::array<Slot, kSlots> slots_;
};

}  // namespace modelmill
