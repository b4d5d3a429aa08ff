#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace modelmill {

/// An advisory lock (flock) on a file that is made when it is missing; let go with this object, and by the kernel when
/// the process ends in whatever way. The file may be removed by whoever holds it exclusively.
class FileLock {
 public:
  enum class Kind { kShared, kExclusive };

  /// Waits until it is had.
  static Result<FileLock> take(const std::string& path, Kind kind);
  /// Waits until it is had, or `cancelled` is set (nullopt), which is seen within a tenth of a second.
  static Result<std::optional<FileLock>> take_unless(const std::atomic<bool>& cancelled, const std::string& path,
                                                     Kind kind);
  /// nullopt when somebody else has it.
  static Result<std::optional<FileLock>> try_take(const std::string& path, Kind kind);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  /// Holds nothing when somebody else has it.
  static Result<FileLock> attempt(const std::string& path, int operation);

  int fd_;
};

}  // namespace modelmill
