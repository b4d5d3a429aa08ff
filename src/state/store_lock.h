#pragma once

#include <cstdint>
#include <string>

#include "base/mutex.h"
#include "base/result.h"

namespace modelmill {

/// The one writer of a folder at a time, among threads and processes of one machine, and the count of revisions that it
/// hands out. The count is kept in the lock's file and not flushed: processes see each other's by the kernel, and after
/// a crash of the machine, when no process is left that remembers a revision, raise_to() brings it back from the
/// entries. A process that dies gives the lock back.
class StoreLock {
 public:
  explicit StoreLock(std::string file);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

  /// Opens the file, making it when missing.
  Status open();

  /// The lock, while it lives; waits for another holder as long as it takes.
  class Held {
   public:
    explicit Held(StoreLock& lock);
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    /// Not OK: the lock was not had, and nothing may be written.
    const Status& status() const { return status_; }
    Result<uint64_t> next_revision();
    /// No revision up to this one is given again.
    Status raise_to(uint64_t revision);

   private:
    Result<uint64_t> last() const;

    StoreLock& lock_;
    MutexLock threads_;
    Status status_;
  };

 private:
  const std::string file_;
  int fd_ = -1;
  Mutex mutex_;  // the kernel's lock is the open file's, so it can't tell threads apart
};

}  // namespace modelmill
