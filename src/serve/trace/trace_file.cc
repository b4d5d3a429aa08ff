#include "serve/trace/trace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

constexpr size_t kMostWaiting = 1024;
constexpr size_t kMostBytesWaiting = size_t{64} << 20;

int open_new(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640); }

/// 0, or errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

}  // namespace

TraceFile::TraceFile(std::string path) : path_(std::move(path)) {
  if (!path_.empty()) thread_.emplace(1, kMostWaiting);
}

TraceFile::~TraceFile() { close(); }

void TraceFile::add(std::string entries) { run(std::move(entries), &TraceFile::write); }

void TraceFile::add_numbered(std::string entries) { run(std::move(entries), &TraceFile::write_numbered); }

void TraceFile::run(std::string entries, void (TraceFile::*write)(const std::string&)) {
  const size_t bytes = entries.size();
  const MutexLock lock(mutex_);
  if (closed_ || !thread_) return;
  if (bytes <= kMostBytesWaiting - waiting_bytes_ && thread_->run([this, write, entries = std::move(entries)] {
        (this->*write)(entries);
        const MutexLock lock(mutex_);
        waiting_bytes_ -= entries.size();
      })) {
    waiting_bytes_ += bytes;
    return;
  }
  if (std::exchange(dropped_, true)) return;
  Log::warning("traces are lost: they come faster than they can be written; trace fewer requests", {{"file", path_}});
}

void TraceFile::close() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(closed_, true)) return;
  }
  if (thread_) thread_->stop();
  if (fd_ < 0) return;
  if (const int error = write_all(fd_, "]"); error != 0) say_failed(path_, error);
  ::close(fd_);
}

void TraceFile::write(const std::string& entries) {
  const bool first = fd_ < 0;
  if (first) fd_ = open_new(path_);
  int error = fd_ < 0 ? errno : write_all(fd_, first ? "[" : ",");
  if (error == 0) error = write_all(fd_, entries);
  if (error != 0) say_failed(path_, error);
}

void TraceFile::write_numbered(const std::string& entries) {
  const std::string path = path_ + "." + std::to_string(next_number_++);
  const int fd = open_new(path);
  int error = fd < 0 ? errno : write_all(fd, "[" + entries + "]");
  if (fd >= 0 && ::close(fd) != 0 && error == 0) error = errno;
  if (error != 0) say_failed(path, error);
}

void TraceFile::say_failed(const std::string& path, int error) {
  if (std::exchange(failed_, true)) return;
  Log::error("traces cannot be written", {{"file", path}, {"reason", std::strerror(error)}});
}

}  // namespace modelmill
