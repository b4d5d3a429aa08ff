#include "base/file_events.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "base/check.h"

namespace modelmill {
namespace {

int milliseconds_until(TimePoint until) {
  if (until == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace

FileEvents::FileEvents()
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      error_(inotify_ < 0 ? errno : 0),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MM_CHECK(wake_ >= 0, "no eventfd can be made");
}

FileEvents::~FileEvents() {
  if (inotify_ >= 0) ::close(inotify_);
  ::close(wake_);
}

int FileEvents::add(const std::string& path, uint32_t mask) {
  if (inotify_ >= 0) return ::inotify_add_watch(inotify_, path.c_str(), mask);
  errno = error_;
  return -1;
}

void FileEvents::remove(int watch) {
  if (inotify_ >= 0) ::inotify_rm_watch(inotify_, watch);
}

FileEvents::Woken FileEvents::wait_until(TimePoint until, const std::function<void(const Event&)>& tell) {
  std::array<pollfd, 2> polled = {pollfd{wake_, POLLIN, 0}, pollfd{inotify_, POLLIN, 0}};
  while (::poll(polled.data(), polled.size(), milliseconds_until(until)) < 0)
    if (errno != EINTR) return Woken::kByFailure;
  eventfd_t ignored;
  if (::eventfd_read(wake_, &ignored) == 0) return Woken::kByWake;
  bool any = false;
  alignas(inotify_event) std::array<char, 16'384> buffer;
  while (inotify_ >= 0) {
    const ssize_t size = ::read(inotify_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) return Woken::kByFailure;
    any = true;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      tell({event->wd, event->len > 0 ? std::string_view(event->name) : std::string_view(),
            (event->mask & IN_Q_OVERFLOW) != 0});
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  return any ? Woken::kByEvents : Woken::kByTime;
}

void FileEvents::wake() { ::eventfd_write(wake_, 1); }

}  // namespace modelmill
