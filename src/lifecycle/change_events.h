#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_events.h"
#include "base/status.h"

namespace modelmill {

/// Tells when something in folders has changed, a file written and closed, made, moved, deleted, its
/// attributes set. Not told of are changes by other machines on a network file system. For one thread, but for wake().
class ChangeEvents {
 public:
  /// Watches these folders (of a path that is a file, the folder that it is in), and no others. What can't be watched
  /// is left out; RESOURCE_EXHAUSTED, naming the system's setting, when that is because there are too many, UNAVAILABLE
  /// when the system tells of no changes at all.
  Status watch(const std::vector<std::string>& folders);

  /// Waits for a change, for wake() or for the time. True: there was a change.
  bool wait_until(TimePoint until);
  /// Ends a wait. Thread-safe.
  void wake() { events_.wake(); }

 private:
  FileEvents events_;
  std::vector<std::pair<std::string, int>> watches_;  // by folder
};

}  // namespace modelmill
