#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/batch_series.h"
#include "catalog/load_attempts.h"
#include "catalog/model_table.h"
#include "catalog/request_recorder.h"
#include "runtime/metrics.h"

namespace modelmill::tfserving {

/// Who counts what TensorFlow Serving tells of the server as a whole. What is null isn't told.
struct ServerCounts {
  std::shared_ptr<const BatchSeries> batches;
  bool batching =
      false;  // requests are batched as TensorFlow Serving would, so that there is something to tell of that
  std::shared_ptr<LoadAttempts> loads;
  const RequestRecorder* records = nullptr;  // must outlive the series
};

/// The series of the server as a whole, under TensorFlow Serving's names and with its labels. Not thread-safe.
class ServerSeries {
 public:
  /// `registry` must outlive it.
  ServerSeries(MetricRegistry& registry, ServerCounts counts);

  /// Brings up to date what is not read at each rendering. What was loaded and is known no more is forgotten.
  void look(const ModelTable& table);

 private:
  /// Of a version that was loaded.
  struct Load {
    bool known = false;  // it was seen in a table
    std::string place;
    LoadAttempts::Version seen;
    std::shared_ptr<Counter> succeeded, failed, latency;  // null: there was none
    MetricRegistry::Handle warm_ups;                      // so is this
  };
  /// How batches were at the last look, which all their series read: one that read them itself would hold up
  /// executions. Thread-safe.
  class SeenBatches {
   public:
    std::shared_ptr<const BatchSeries::View> get() const {
      const MutexLock lock(mutex_);
      return view_;
    }
    void set(std::shared_ptr<const BatchSeries::View> view) {
      const MutexLock lock(mutex_);
      view_ = std::move(view);
    }

   private:
    mutable Mutex mutex_;
    std::shared_ptr<const BatchSeries::View> view_ MM_GUARDED_BY(mutex_);
  };

  void add_executions();
  void add_batching();
  void look_at_batches();
  void look_at_padding();
  void look_at_loads(const ModelTable& table);
  void tell_loads(Load& load, const LoadAttempts::Version& now);
  void tell_warm_ups(Load& load, const LoadAttempts::Key& key, const std::string& place);
  void look_at_records();
  void add_histogram(const char* name, const char* help, MetricLabels labels, std::span<const double> bounds,
                     HistogramValue BatchSeries::View::*what);

  MetricRegistry& registry_;
  const ServerCounts counts_;
  const std::shared_ptr<SeenBatches> seen_ = std::make_shared<SeenBatches>();
  std::vector<MetricRegistry::Handle> handles_;
  std::map<int64_t, MetricRegistry::Handle> padding_;  // by the rows of executions
  std::map<LoadAttempts::Key, Load> loads_;
  std::map<MetricLabels, std::pair<uint64_t, std::shared_ptr<Counter>>> records_;
};

}  // namespace modelmill::tfserving
