#include "lifecycle/change_events.h"

#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

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

}  // namespace

Status ChangeEvents::watch(const std::vector<std::string>& folders) {
  std::map<std::string, int> wanted;
  for (const std::string& folder : folders) wanted.emplace(folder_of(folder), -1);
  Status status;
  // Adding a watch again to what is watched already gives the same number; a folder put in another's place gets a new
  // one, so each is asked for anew.
  for (auto& [folder, number] : wanted) {
    number = events_.add(folder, kEvents);
    if (number < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOSYS))
      return unavailable("the system gives no file events; raise fs.inotify.max_user_instances");
    if (number < 0 && errno == ENOSPC)
      status = resource_exhausted("the system allows too few file watches for " + std::to_string(wanted.size()) +
                                  " folders; raise fs.inotify.max_user_watches");
  }
  for (const auto& [folder, number] : watches_) {
    const bool kept =
        std::any_of(wanted.begin(), wanted.end(), [number = number](const auto& w) { return w.second == number; });
    if (!kept && number >= 0) events_.remove(number);
  }
  watches_.assign(wanted.begin(), wanted.end());
  return status;
}

bool ChangeEvents::wait_until(TimePoint until) {
  return events_.wait_until(until, [](const FileEvents::Event&) {}) == FileEvents::Woken::kByEvents;
}

}  // namespace modelmill
