#pragma once

#include "base/mutex.h"

namespace modelmill {

/// Some nanoseconds, in which the core's other thread has its units.
inline void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Takes a mutex that everybody holds for a few dozen instructions: who finds it taken looks again for about a
/// microsecond before it sleeps, which costs both sides several.
inline void lock_briefly(Mutex& mutex) MM_TSA(acquire_capability(mutex)) {
  constexpr int kLooks = 40;
  for (int look = 0; look < kLooks; ++look) {
    if (mutex.try_lock()) return;
    pause_briefly();
  }
  mutex.lock();
}

class MM_TSA(scoped_lockable) BriefLock {
 public:
  explicit BriefLock(Mutex& mutex) MM_TSA(acquire_capability(mutex)) : mutex_(mutex) { lock_briefly(mutex); }
  ~BriefLock() MM_TSA(release_capability()) { mutex_.unlock(); }
  BriefLock(const BriefLock&) = delete;
  BriefLock& operator=(const BriefLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace modelmill
