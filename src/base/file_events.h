#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace modelmill {

/// What the kernel tells of files and folders (inotify). Changes that another machine makes to a shared file system are
/// not told. For one thread, but for wake().
class FileEvents {
 public:
  struct Event {
    int watch;              // the number of the watch that it belongs to
    std::string_view name;  // inside the folder that is watched; empty: it is the watched thing's own
    bool dropped;           // so much happened at once that the kernel dropped some of it
  };
  enum class Woken { kByTime, kByWake, kByEvents, kByFailure };

  FileEvents();
  ~FileEvents();
  FileEvents(const FileEvents&) = delete;
  FileEvents& operator=(const FileEvents&) = delete;

  /// Watches for events of `mask` (inotify's IN_...). The number of the watch, which is the same for what is watched
  /// already; -1, with errno, when it can't be watched.
  int add(const std::string& path, uint32_t mask);
  void remove(int watch);

  /// Waits for events, each of which is told, for wake(), or for the time. kByFailure: with errno.
  Woken wait_until(TimePoint until, const std::function<void(const Event&)>& tell);
  /// Ends a wait, or the next one. Thread-safe.
  void wake();

 private:
  const int inotify_;  // -1: there is none
  const int error_;    // why
  const int wake_;
};

}  // namespace modelmill
