#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/file_events.h"
#include "base/result.h"

namespace modelmill {

/// Tells, on a thread of its own, which names in a folder came, were replaced by a rename, or went, whatever process
/// did it; see FileEvents.
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
  FolderEvents(std::unique_ptr<FileEvents> events, Happened happened);
  void run();

  const std::unique_ptr<FileEvents> events_;
  const Happened happened_;
  std::thread thread_;
};

}  // namespace modelmill
