#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "otlp/span_exporter.h"
#include "request/infer_request.h"
#include "serve/routed_request.h"
#include "serve/trace/span_sampling.h"
#include "serve/trace/trace_sampler.h"
#include "serve/trace/trace_settings.h"

namespace modelmill {

/// Where spans go, and of which requests they are recorded.
struct SpanTarget {
  std::shared_ptr<SpanExporter> exporter;  // null: nowhere
  SpanSampling sampling;
  /// What the trace extension tells of it beside the settings; names may come several times.
  std::vector<std::pair<std::string, std::string>> told;
};

/// Traces requests as Triton does, into a file or as OpenTelemetry's spans: a sample of all, by one setting, or by one
/// that a model has of its own, of which each part that isn't said is that of all. In a file each request that a model
/// gets is a trace; spans are recorded of what clients ask with all that is asked for it, or of nothing of it. Costs a
/// request next to nothing while it is off. Thread-safe.
class Tracer {
 public:
  /// `file` empty, and no exporter: nothing can be traced, for only who starts the server names files and collectors.
  Tracer(const TraceSettings& settings, std::string file, SpanTarget spans = {});

  const std::string& file() const { return file_->path(); }
  /// Spans are recorded, and nothing is written to a file.
  bool records_spans() const { return spans_.exporter != nullptr; }
  const std::vector<std::pair<std::string, std::string>>& told() const { return spans_.told; }

  /// Of this model, or of all (an empty name), with the number of traces that are still to come.
  TraceSettings settings(std::string_view model) const;
  /// INVALID_ARGUMENT, in Triton's words, for what can't be, and nothing changes.
  Status update(const std::string& model, const TraceChange& change);

  /// A request has come for `model`, along `routed` if that is not null. Of what is a part of another one, or a further
  /// attempt of it, nothing is decided here.
  void begin(std::string_view model, InferRequest& request, const RoutedRequestPtr& routed) {
    if (on_.load(std::memory_order_relaxed)) decide(model, request, routed);
  }

  /// A request is about to be handed to `version`, its inputs in order: if it is of the sample, its end will be seen.
  void offer(const ModelVersion& version, InferRequest& request) {
    if (on_.load(std::memory_order_relaxed) || request.trace.recorded()) consider(version, request);
  }

  /// All that is collected has been written, or sent as far as the collector takes it; nothing is traced any more.
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

  void decide(std::string_view model, InferRequest& request, const RoutedRequestPtr& routed);
  bool is_recorded(TraceSampler& sampler, const TraceContext& caller, const TraceId& trace) const;
  std::shared_ptr<TraceSampler> sampler_of(std::string_view model) const;
  void consider(const ModelVersion& version, InferRequest& request);
  Result<Entry> changed(const Entry& entry, const TraceSettings& above, const TraceChange& change) const;
  void look_whether_on() MM_REQUIRES(mutex_);

  const TraceSettings first_;
  const std::shared_ptr<TraceFile> file_;
  const SpanTarget spans_;
  std::atomic<bool> on_{false};
  std::atomic<uint64_t> next_id_{1};
  mutable Mutex mutex_;
  Entry global_ MM_GUARDED_BY(mutex_);
  std::map<std::string, Entry, std::less<>> models_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
