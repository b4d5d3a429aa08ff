#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace modelmill {
namespace {

int operation_of(FileLock::Kind kind) { return kind == FileLock::Kind::kShared ? LOCK_SH : LOCK_EX; }

/// False when the file was removed, or another put in its place, between opening it and locking it.
bool is_at(int fd, const std::string& path) {
  struct stat mine {
  }, there{};
  return ::fstat(fd, &mine) == 0 && ::stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

}  // namespace

Result<FileLock> FileLock::attempt(const std::string& path, int operation) {
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return unavailable("lock file '" + path + "' can't be opened: " + std::strerror(errno));
    FileLock lock(fd);
    int outcome = ::flock(fd, operation);
    while (outcome != 0 && errno == EINTR) outcome = ::flock(fd, operation);
    if (outcome != 0 && errno == EWOULDBLOCK) return FileLock(-1);
    if (outcome != 0) return unavailable("lock file '" + path + "' can't be locked: " + std::strerror(errno));
    if (is_at(fd, path)) return lock;
  }
}

Result<FileLock> FileLock::take(const std::string& path, Kind kind) { return attempt(path, operation_of(kind)); }

Result<std::optional<FileLock>> FileLock::take_unless(const std::atomic<bool>& cancelled, const std::string& path,
                                                      Kind kind) {
  // Whoever has it may end in any way, and only the kernel's lock tells that; it can't be waited for together with
  // anything else. What is waited for is a download or an unpacking, beside which a tenth of a second is nothing.
  constexpr std::chrono::milliseconds kInterval(100);
  while (true) {
    MM_ASSIGN_OR_RETURN(auto lock, try_take(path, kind));
    if (lock || cancelled) return lock;
    std::this_thread::sleep_for(kInterval);
  }
}

Result<std::optional<FileLock>> FileLock::try_take(const std::string& path, Kind kind) {
  MM_ASSIGN_OR_RETURN(FileLock lock, attempt(path, operation_of(kind) | LOCK_NB));
  if (lock.fd_ < 0) return std::optional<FileLock>();
  return std::optional<FileLock>(std::move(lock));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace modelmill
