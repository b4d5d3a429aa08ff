#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "runtime/metrics.h"

namespace modelmill {

/// How often versions were loaded, and how long that took: for metrics that tell it by the place of their files.
/// Thread-safe.
class LoadAttempts {
 public:
  struct Version {
    std::string place;  // of its files: one that comes from another place is counted anew
    uint64_t succeeded = 0;
    uint64_t failed = 0;
    uint64_t warm_ups = 0;
    Duration took{};      // those that succeeded, all together
    uint64_t serial = 0;  // another one where a version was forgotten in between
  };
  using Key = std::pair<std::string, int64_t>;  // the model's name, and the version

  void succeeded(const std::string& model, int64_t version, const std::string& place, Duration took);
  /// A load ran the requests that the model brings along, which took so long.
  void warmed_up(const std::string& model, int64_t version, const std::string& place, Duration took);
  void failed(const std::string& model, int64_t version, const std::string& place);
  std::map<Key, Version> view() const;
  /// How long its warm-ups took.
  HistogramValue warm_ups(const Key& key) const;
  static std::span<const double> warm_up_bounds_us();
  /// Of a version that is gone.
  void forget(const Key& key);

 private:
  Version& at(const std::string& model, int64_t version, const std::string& place) MM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<Key, Version> versions_ MM_GUARDED_BY(mutex_);
  std::map<Key, HistogramValue> warm_ups_ MM_GUARDED_BY(mutex_);
  uint64_t last_serial_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill
