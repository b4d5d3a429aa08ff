#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread-safety attributes (-Wthread-safety); nothing under other compilers.
#if defined(__clang__)
#define MM_TSA(x) __attribute__((x))
#else
#define MM_TSA(x)
#endif
#define MM_GUARDED_BY(m) MM_TSA(guarded_by(m))
#define MM_PT_GUARDED_BY(m) MM_TSA(pt_guarded_by(m))
#define MM_REQUIRES(...) MM_TSA(requires_capability(__VA_ARGS__))
#define MM_EXCLUDES(...) MM_TSA(locks_excluded(__VA_ARGS__))

namespace modelmill {

/// std::mutex with annotations, so that clang proves that what it guards is touched only under it.
class MM_TSA(capability("mutex")) Mutex {
 public:
  void lock() MM_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() MM_TSA(release_capability()) { mutex_.unlock(); }
  bool try_lock() MM_TSA(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class MM_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) MM_TSA(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() MM_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition variable for Mutex. Waits need a loop around them, as ever.
class CondVar {
 public:
  void wait(Mutex& mutex) MM_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  template <typename TimePoint>
  std::cv_status wait_until(Mutex& mutex, TimePoint t) MM_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const std::cv_status status = cv_.wait_until(lock, t);
    lock.release();
    return status;
  }
  void notify_one() { cv_.notify_one(); }
  void notify_all() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace modelmill
