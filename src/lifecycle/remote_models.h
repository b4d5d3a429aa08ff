#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "lifecycle/control_settings.h"
#include "repository/found_model.h"
#include "storage/remote_source.h"

namespace modelmill {

/// The sources that are elsewhere: keeps a copy of each here, and says what of it a version needs. Thread-safe once
/// open() has returned.
class RemoteModels {
 public:
  explicit RemoteModels(RemoteOptions options) : options_(std::move(options)) {}

  /// Opens those paths of `sources` that are URLs (NAME=URL too), and puts the places of their copies in their stead.
  /// Reaches for nothing yet. An error names the URL.
  Status open(ModelSources& sources);
  bool empty() const { return sources_.empty(); }

  /// Looks what there is at every URL now; by URL why that is not known. Blocks on the network.
  std::map<std::string, Status> refresh();
  /// All of a version's files are here. Blocks on the network.
  Status fetch(const FoundVersion& version);
  /// Ends fetches, with an error.
  void stop() { stopping_ = true; }

 private:
  RemoteOptions options_;
  std::atomic<bool> stopping_{false};
  std::map<std::string, std::unique_ptr<RemoteSource>> sources_;  // by URL
};

}  // namespace modelmill
