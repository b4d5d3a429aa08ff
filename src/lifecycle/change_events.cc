#include "lifecycle/change_events.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace modelmill {
namespace {

constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                             IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF;

std::string folder_of(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return path;
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

int milliseconds_until(TimePoint until) {
  if (until == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

/// Takes everything out. True when something was there.
bool drain(int descriptor) {
  bool any = false;
  alignas(inotify_event) std::array<char, 16'384> buffer;
  while (::read(descriptor, buffer.data(), buffer.size()) > 0) any = true;
  return any;
}

}  // namespace

ChangeEvents::ChangeEvents()
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  MM_CHECK(event_ >= 0, "no eventfd can be made");
}

ChangeEvents::~ChangeEvents() {
  if (inotify_ >= 0) ::close(inotify_);
  ::close(event_);
}

Status ChangeEvents::watch(const std::vector<std::string>& folders) {
  if (inotify_ < 0) return unavailable("the system gives no file events (inotify)");
  std::map<std::string, int> wanted;
  for (const std::string& folder : folders) wanted.emplace(folder_of(folder), -1);
  Status status;
  // Adding a watch again to what is watched already gives the same number; a folder put in another's place gets a new
  // one, so each is asked for anew.
  for (auto& [folder, number] : wanted) {
    number = ::inotify_add_watch(inotify_, folder.c_str(), kEvents);
    if (number < 0 && errno == ENOSPC)
      status = resource_exhausted("the system allows too few file watches for " + std::to_string(wanted.size()) +
                                  " folders; raise fs.inotify.max_user_watches");
  }
  for (const auto& [folder, number] : watches_) {
    const bool kept =
        std::any_of(wanted.begin(), wanted.end(), [number = number](const auto& w) { return w.second == number; });
    if (!kept && number >= 0) ::inotify_rm_watch(inotify_, number);
  }
  watches_.assign(wanted.begin(), wanted.end());
  return status;
}

bool ChangeEvents::wait_until(TimePoint until) {
  std::array<pollfd, 2> polled = {pollfd{inotify_, POLLIN, 0}, pollfd{event_, POLLIN, 0}};
  while (::poll(polled.data(), polled.size(), milliseconds_until(until)) < 0)
    if (errno != EINTR) return false;
  drain(event_);
  return inotify_ >= 0 && drain(inotify_);
}

void ChangeEvents::wake() {
  const uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

}  // namespace modelmill
