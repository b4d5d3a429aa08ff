#include "runtime/gate.h"

namespace modelmill {

void Gate::close() { state_.fetch_or(kClosed, std::memory_order_acq_rel); }

void Gate::leave_closed() {
  MutexLock lock(mutex_);
  if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kClosed | 1)) empty_.notify_all();
}

void Gate::wait_empty() {
  MutexLock lock(mutex_);
  while (state_.load(std::memory_order_acquire) != kClosed) empty_.wait(mutex_);
}

}  // namespace modelmill
