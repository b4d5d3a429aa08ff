#include "state/file_lease.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace modelmill {
namespace {

class FileLease final : public StoreLease {
 public:
  explicit FileLease(int fd) : fd_(fd) {}
  ~FileLease() override {
    // By name, and not by close alone: a child between fork and exec has the same open file.
    ::flock(fd_, LOCK_UN);
    ::close(fd_);
  }
  FileLease(const FileLease&) = delete;
  FileLease& operator=(const FileLease&) = delete;

  /// The kernel takes it from nobody.
  bool held() const override { return true; }

 private:
  const int fd_;
};

std::string this_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return "process " + std::to_string(::getpid()) + " on " + host.data();
}

/// Only for people: who holds it may be about to write this.
std::string holder_of(int fd) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  const std::string holder(text.data(), static_cast<size_t>(size > 0 ? size : 0));
  return holder.empty() ? "another process" : holder;
}

}  // namespace

Result<std::unique_ptr<StoreLease>> acquire_file_lease(const std::string& file, const std::string& name) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return unavailable("file '" + file + "' of lease '" + name + "' can't be opened: " + std::strerror(errno));
  int result = 0;
  do result = ::flock(fd, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result != 0) {
    const Status status =
        errno == EWOULDBLOCK
            ? already_exists("lease '" + name + "' is held by " + holder_of(fd))
            : unavailable("file '" + file + "' of lease '" + name + "' can't be locked: " + std::strerror(errno));
    ::close(fd);
    return status;
  }
  const std::string holder = this_process();
  // On a full disk the lease holds all the same, with no name to it.
  if (::ftruncate(fd, 0) == 0) [[maybe_unused]]
    const ssize_t written = ::pwrite(fd, holder.data(), holder.size(), 0);
  return std::unique_ptr<StoreLease>(std::make_unique<FileLease>(fd));
}

}  // namespace modelmill
