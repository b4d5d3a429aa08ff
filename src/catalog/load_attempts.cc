#include "catalog/load_attempts.h"

#include <algorithm>
#include <vector>

namespace modelmill {

LoadAttempts::Version& LoadAttempts::at(const std::string& model, int64_t version, const std::string& place) {
  Version& entry = versions_[{model, version}];
  if (entry.serial != 0 && entry.place == place) return entry;
  entry = {place, 0, 0, 0, {}, ++last_serial_};
  warm_ups_.erase({model, version});
  return entry;
}

void LoadAttempts::succeeded(const std::string& model, int64_t version, const std::string& place, Duration took) {
  const MutexLock lock(mutex_);
  Version& entry = at(model, version, place);
  ++entry.succeeded;
  entry.took += took;
}

void LoadAttempts::failed(const std::string& model, int64_t version, const std::string& place) {
  const MutexLock lock(mutex_);
  Version& entry = at(model, version, place);
  ++entry.failed;
}

void LoadAttempts::warmed_up(const std::string& model, int64_t version, const std::string& place, Duration took) {
  const MutexLock lock(mutex_);
  ++at(model, version, place).warm_ups;
  HistogramValue& value = warm_ups_[{model, version}];
  const std::span<const double> bounds = warm_up_bounds_us();
  value.counts.resize(bounds.size() + 1);
  const double us = static_cast<double>(to_ns(took)) / 1e3;
  ++value.counts[static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), us) - bounds.begin())];
  value.sum += us;
}

HistogramValue LoadAttempts::warm_ups(const Key& key) const {
  const MutexLock lock(mutex_);
  const auto it = warm_ups_.find(key);
  return it == warm_ups_.end() ? HistogramValue{std::vector<uint64_t>(warm_up_bounds_us().size() + 1), 0} : it->second;
}

/// 33 of them, from 10 us to about twenty minutes.
std::span<const double> LoadAttempts::warm_up_bounds_us() {
  static const std::vector<double> bounds = [] {
    std::vector<double> out;
    for (double bound = 10; out.size() < 33; bound *= 1.8) out.push_back(bound);
    return out;
  }();
  return bounds;
}

std::map<LoadAttempts::Key, LoadAttempts::Version> LoadAttempts::view() const {
  const MutexLock lock(mutex_);
  return versions_;
}

void LoadAttempts::forget(const Key& key) {
  const MutexLock lock(mutex_);
  versions_.erase(key);
  warm_ups_.erase(key);
}

}  // namespace modelmill
