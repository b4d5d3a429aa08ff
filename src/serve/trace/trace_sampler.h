#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "serve/trace/trace_file.h"
#include "serve/trace/trace_settings.h"

namespace modelmill {

/// One setting in force, for all models or for one: chooses requests and keeps their traces until there are enough to
/// be written. Lives until the last of its traces has been collected. Thread-safe.
class TraceSampler {
 public:
  TraceSampler(const TraceSettings& settings, std::shared_ptr<TraceFile> file)
      : settings_(settings), file_(std::move(file)), count_(settings.count) {}
  /// Writes what is left.
  ~TraceSampler();
  TraceSampler(const TraceSampler&) = delete;
  TraceSampler& operator=(const TraceSampler&) = delete;

  /// With the number of traces that are still to come.
  TraceSettings settings() const;
  uint8_t level() const { return settings_.level; }

  /// Whether this request is to be traced; then collect() follows, once.
  bool sample();
  /// The entries of one trace.
  void collect(const std::string& entries);

 private:
  const TraceSettings settings_;
  const std::shared_ptr<TraceFile> file_;
  mutable Mutex mutex_;
  int32_t count_ MM_GUARDED_BY(mutex_);
  uint64_t seen_ MM_GUARDED_BY(mutex_) = 0;
  uint64_t sampled_ MM_GUARDED_BY(mutex_) = 0;
  uint64_t collected_ MM_GUARDED_BY(mutex_) = 0;
  uint32_t kept_ MM_GUARDED_BY(mutex_) = 0;  // traces of the text
  std::string text_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
