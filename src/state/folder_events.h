#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"

namespace modelmill {

/// Tells, on a thread of its own, which names in a folder came, were replaced by a rename, or went, whatever process
/// did it. By inotify: changes that another machine makes to a shared file system are not seen.
class FolderEvents {
 public:
  /// nullopt: so much happened at once that the kernel dropped some of it.
  using Happened = std::function<void(const std::optional<std::string>& name)>;

  /// What happens after this returns is told. UNAVAILABLE where the user has too many watches already.
  static Result<std::unique_ptr<FolderEvents>> start(const std::string& folder, Happened happened);
  /// Waits for a callback that is running.
  ~FolderEvents();
  FolderEvents(const FolderEvents&) = delete;
  FolderEvents& operator=(const FolderEvents&) = delete;

 private:
  FolderEvents(int events, int stop, Happened happened);
  void run();
  bool read_events();

  const int events_;
  const int stop_;
  const Happened happened_;
  std::thread thread_;
};

}  // namespace modelmill
