#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// Tells when files have changed, on a thread of its own. It asks for device, inode, size and time of change through
/// symbolic links, because a file may change by a link that is set elsewhere (Kubernetes updates mounted secrets so),
/// which a watch on the file itself would not see.
///
/// Make it before the files are read for the first time, and start it after: then no change in between is missed.
class FileWatcher {
 public:
  /// What is done after a callback: `also` is looked at from then on too, where a file that was not is a difference by
  /// itself, and with `again` the next look finds a difference in any case.
  struct Next {
    std::vector<std::string> also = {};
    bool again = false;
  };

  /// `changed` runs on the watcher's thread, once any of the files has changed and a further look finds no difference:
  /// one that is still being written is not read. A file that goes, and one that comes, is a difference too. It returns
  /// a Next, or nothing.
  template <typename Changed>
  FileWatcher(std::vector<std::string> files, Changed changed, Duration interval = std::chrono::seconds(1))
      : FileWatcher(std::move(files), interval, with_next(std::move(changed))) {}
  /// Waits for a callback that is running; none begins any more.
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// Begins to look, each interval.
  void start();

  /// One look: true when something has changed since the last one. For others than the thread before start().
  bool look();
  /// What the thread does: true when something had changed at the last look, and is still the same.
  bool look_settled();

 private:
  /// What a file is known by. All zero when it is not there.
  struct Stamp {
    dev_t device = 0;
    ino_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& file);
  template <typename Changed>
  static std::function<Next()> with_next(Changed changed) {
    if constexpr (std::is_void_v<std::invoke_result_t<Changed&>>)
      return [changed = std::move(changed)]() mutable {
        changed();
        return Next();
      };
    else
      return changed;
  }
  FileWatcher(std::vector<std::string> files, Duration interval, std::function<Next()> changed);
  void watch();
  void add(std::vector<std::string> files);

  std::vector<std::string> files_;  // the thread's, once it runs, as the stamps
  const std::function<Next()> changed_;
  const Duration interval_;
  bool has_changed_ = false;  // at the last look; the thread's
  std::vector<Stamp> stamps_;

  Mutex mutex_;
  CondVar stop_asked_;
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace modelmill
