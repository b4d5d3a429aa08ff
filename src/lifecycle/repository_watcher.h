#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lifecycle/change_events.h"
#include "lifecycle/control_settings.h"

namespace modelmill {

/// Decides when the repository is looked at, on a thread of its own: regularly (poll), or as soon as its folders have
/// changed and then regularly, but seldom, for what the system doesn't tell of (watch).
class RepositoryWatcher {
 public:
  struct Work {
    /// One look; false when it must be looked at again soon, because something changes still.
    std::function<bool(TimePoint now)> look;
    std::function<std::vector<std::string>()> folders;
  };

  RepositoryWatcher(const ControlSettings& control, Work work);
  /// Waits for a look that is under way.
  ~RepositoryWatcher();
  RepositoryWatcher(const RepositoryWatcher&) = delete;
  RepositoryWatcher& operator=(const RepositoryWatcher&) = delete;

 private:
  void run();
  void watch_folders();
  /// Waits until it is time to look.
  void wait(bool at_rest);

  const bool watches_;
  const Duration interval_;
  const Duration settle_;
  const Work work_;
  ChangeEvents events_;
  bool complained_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace modelmill
