#include "state/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

namespace modelmill {
namespace {

/// The count has always as many digits, so that a new one overwrites the old without asking the disk for room.
constexpr size_t kDigits = 20;

Status failed(const std::string& file, const char* what) {
  return unavailable("file '" + file + "' of the server's state can't be " + what + ": " + std::strerror(errno));
}

}  // namespace

StoreLock::StoreLock(std::string file) : file_(std::move(file)) {}

StoreLock::~StoreLock() {
  if (fd_ >= 0) ::close(fd_);
}

Status StoreLock::open() {
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return fd_ >= 0 ? ok_status() : failed(file_, "opened");
}

StoreLock::Held::Held(StoreLock& lock) : lock_(lock), threads_(lock.mutex_) {
  int result = 0;
  do result = ::flock(lock_.fd_, LOCK_EX);
  while (result != 0 && errno == EINTR);
  if (result != 0) status_ = failed(lock_.file_, "locked");
}

StoreLock::Held::~Held() {
  // Asked for by name: a child between fork and exec has the same open file, and would keep the lock.
  if (status_.ok()) ::flock(lock_.fd_, LOCK_UN);
}

Result<uint64_t> StoreLock::Held::last() const {
  std::array<char, kDigits> text{};
  const ssize_t size = ::pread(lock_.fd_, text.data(), text.size(), 0);
  if (size < 0) return failed(lock_.file_, "read");
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, count);
  // Torn by a crash of the machine: then the entries tell, since the store was opened anew.
  return error == std::errc() ? count : 0;
}

Status StoreLock::Held::raise_to(uint64_t revision) {
  MM_ASSIGN_OR_RETURN(const uint64_t count, last());
  if (count >= revision && count > 0) return ok_status();
  std::array<char, kDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%020llu", static_cast<unsigned long long>(revision));
  errno = ENOSPC;  // what a short write means
  if (::pwrite(lock_.fd_, text.data(), kDigits, 0) != static_cast<ssize_t>(kDigits))
    return failed(lock_.file_, "written");
  return ok_status();
}

Result<uint64_t> StoreLock::Held::next_revision() {
  MM_ASSIGN_OR_RETURN(const uint64_t count, last());
  MM_RETURN_IF_ERROR(raise_to(count + 1));
  return count + 1;
}

}  // namespace modelmill
