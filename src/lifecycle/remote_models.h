#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "lifecycle/control_settings.h"
#include "repository/find_models.h"
#include "storage/remote_source.h"

namespace modelmill {

/// The sources that are elsewhere: keeps a copy of each here, and says what of it a version needs. Thread-safe.
class RemoteModels {
 public:
  explicit RemoteModels(RemoteOptions options) : options_(std::move(options)) {}

  /// Opens those paths of `sources` that are URLs (NAME=URL too), and puts the places of their copies in their stead.
  /// Reaches for nothing yet. An error names the URL.
  Status open(ModelSources& sources);
  /// What is at a URL that `file` names, a modelmill.yaml or model_config_file. The operator's own files may name any
  /// URL; those that came from elsewhere themselves, and clients (then `file` is empty), only what is allowed. Blocks
  /// on the network the first time, and again at times when it couldn't be reached.
  LocalCopy open_named(const std::string& url, const std::string& file, TimePoint now,
                       const std::atomic<bool>& cancelled);
  /// What is at a URL that a client names now: one that is known, or is allowed. Not looked at again by refresh().
  /// Blocks on the network.
  Result<std::shared_ptr<RemoteSource>> look_at(const std::string& url, const std::atomic<bool>& cancelled) const;
  /// A URL that a client names: the place of its copy here, whose small files are brought. PERMISSION_DENIED unless it
  /// is allowed. Blocks on the network.
  Result<std::shared_ptr<RemoteSource>> add(const std::string& url, const std::atomic<bool>& cancelled);
  bool empty() const;
  /// What a file or folder here is a copy of, whole or a part of it; empty: of nothing elsewhere.
  std::string url_of(const std::string& path) const;
  /// The folder of the copy that a file is in; empty: it is in none.
  std::string copy_with(const std::string& file) const;
  /// Forgets what the operator did not start the server with, no file has named since `now`, and nobody holds.
  void keep_named_since(TimePoint now);

  /// Looks what there is at every URL now; by URL why that is not known. Blocks on the network.
  std::map<std::string, Status> refresh(const std::atomic<bool>& cancelled);
  /// All of a version's files are here. Blocks on the network.
  Status fetch(const FoundVersion& version, const std::atomic<bool>& cancelled);

 private:
  struct Source {
    std::shared_ptr<RemoteSource> source;
    bool known = true;  // what is there was looked at, or will be by refresh()
    Status problem = {};
    TimePoint tried = {};
    TimePoint named = {};  // by a file, at last; kNever: by the operator, for good
  };

  Result<std::shared_ptr<RemoteSource>> open(const std::string& url, bool trusted) const;
  std::map<std::string, Source> sources() const;

  const RemoteOptions options_;
  mutable Mutex mutex_;
  std::map<std::string, Source> sources_ MM_GUARDED_BY(mutex_);  // by URL
};

}  // namespace modelmill
