#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
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
  /// `changed` runs on the watcher's thread, once for each look that finds a difference in any of the files. A file
  /// that goes, and one that comes, is a difference too. `more` is asked after each `changed` for files that are looked
  /// at from then on too; a new one is a difference. Null: there are none.
  FileWatcher(std::vector<std::string> files, std::function<void()> changed,
              Duration interval = std::chrono::seconds(1), std::function<std::vector<std::string>()> more = nullptr);
  /// Waits for a callback that is running; none begins any more.
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  /// Begins to look, each interval.
  void start();

  /// One look: true when something has changed since the last one. What the thread does; for others before start().
  bool look();

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
  void watch();
  void add(std::vector<std::string> files);

  std::vector<std::string> files_;  // the thread's, once it runs, as the stamps
  const std::function<void()> changed_;
  const Duration interval_;
  const std::function<std::vector<std::string>()> more_;
  std::vector<Stamp> stamps_;

  Mutex mutex_;
  CondVar stop_asked_;
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace modelmill
