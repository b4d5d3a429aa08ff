#include "catalog/exposures.h"

#include <utility>

#include "runtime/thread_slot.h"

namespace modelmill {

void Exposures::want(bool wanted) {
  wanted_.store(wanted, std::memory_order_relaxed);
  if (!wanted) take();
}

void Exposures::add(const Exposure& exposure) {
  Slot& slot = slots_[thread_slot() % kSlots];
  const MutexLock lock(slot.mutex);
  if (slot.waiting.size() < kMost / kSlots)
    slot.waiting.push_back(exposure);
  else
    dropped_.fetch_add(1, std::memory_order_relaxed);
}

std::vector<Exposure> Exposures::take() {
  std::vector<Exposure> all;
  for (Slot& slot : slots_) {
    std::vector<Exposure> taken;
    {
      const MutexLock lock(slot.mutex);
      taken = std::exchange(slot.waiting, {});
    }
    all.insert(all.end(), taken.begin(), taken.end());
  }
  return all;
}

}  // namespace modelmill
