#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/environment.h"
#include "storage/source_url.h"
#include "storage/transfer_progress.h"

namespace modelmill {

struct RemoteOptions {
  /// Made when it is missing; other processes may use it too.
  std::string cache_directory;
  /// What the cache may hold; 0: nothing bounds it.
  uint64_t cache_bytes = 0;
  /// A URL that begins with none of them is refused: see check_allowed_url.
  std::vector<std::string> allowed_prefixes;
  /// Files, or chunks of a file, that are loaded at a time.
  size_t parallelism = 8;
  uint64_t chunk_bytes = uint64_t{8} << 20;
  /// Of one request, the first included.
  int tries = 5;
  ProgressCallback progress = {};
  /// Credentials, endpoints and proxies.
  Environment environment = process_environment();
};

/// A copy here of a model file, folder or repository that is elsewhere. refresh() makes folders, names and small
/// configuration files appear below local_path(); fetch() brings the rest of one part. Files get there whole, by one
/// rename each, and what is open keeps what it had. Thread-safe: refreshes wait for each other; fetches run beside
/// each other.
class RemoteSource {
 public:
  /// Reaches for nothing yet, except the cache. INVALID_ARGUMENT and PERMISSION_DENIED are about the URL.
  static Result<std::unique_ptr<RemoteSource>> open(const std::string& url, RemoteOptions options);
  ~RemoteSource();

  /// What find_models() looks at: CACHE/trees/ID/NAME, where NAME is the last part of the URL. It never holds a partial
  /// file. The same for the same URL and cache, also in the next process.
  const std::string& local_path() const;

  /// Looks what is there now; true when anything differs from the last look. Files of up to 64 KiB are brought, and
  /// larger ones by which a model is found: those in the first two levels that are not below a version's folder. What
  /// is no longer there goes; what changed is replaced when it is brought.
  Result<bool> refresh(const std::atomic<bool>& cancelled);

  /// Everything at or below `local`, a path at or below local_path(), is there, whole and verified, as of the last
  /// look. When that is overtaken by a change, it looks again, and the next refresh() is true.
  Status fetch(const std::string& local, const std::atomic<bool>& cancelled);

 private:
  struct Rep;
  explicit RemoteSource(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
