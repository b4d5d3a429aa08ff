#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "request/infer_request.h"
#include "serve/trace/trace_sampler.h"
#include "serve/trace/trace_settings.h"

namespace modelmill {

/// Traces requests into a file as Triton does: a sample of all, by one setting, or by one that a model has of its own,
/// of which each part that isn't said is that of all. Costs a request next to nothing while it is off. Thread-safe.
class Tracer {
 public:
  /// `file` empty: nothing can be traced, for only who starts the server names files.
  Tracer(const TraceSettings& settings, std::string file);

  const std::string& file() const { return file_->path(); }

  /// Of this model, or of all (an empty name), with the number of traces that are still to come.
  TraceSettings settings(std::string_view model) const;
  /// INVALID_ARGUMENT, in Triton's words, for what can't be, and nothing changes.
  Status update(const std::string& model, const TraceChange& change);

  /// A request is about to be handed to `version`, its inputs in order: if it is of the sample, its end will be seen.
  void offer(const ModelVersion& version, InferRequest& request) {
    if (on_.load(std::memory_order_relaxed)) consider(version, request);
  }

  /// All that is collected has been written; nothing is traced any more.
  void stop();

 private:
  /// What a setting says by itself.
  struct Specified {
    bool level = false;
    bool rate = false;
    bool count = false;
    bool log_frequency = false;
    bool any() const { return level || rate || count || log_frequency; }
    bool all() const { return level && rate && count && log_frequency; }
  };
  struct Entry {
    std::shared_ptr<TraceSampler> sampler;
    Specified specified;
  };

  void consider(const ModelVersion& version, InferRequest& request);
  Result<Entry> changed(const Entry& entry, const TraceSettings& above, const TraceChange& change) const;
  void look_whether_on() MM_REQUIRES(mutex_);

  const TraceSettings first_;
  const std::shared_ptr<TraceFile> file_;
  std::atomic<bool> on_{false};
  std::atomic<uint64_t> next_id_{1};
  mutable Mutex mutex_;
  Entry global_ MM_GUARDED_BY(mutex_);
  std::map<std::string, Entry, std::less<>> models_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
