#include "catalog/load_attempts.h"

namespace modelmill {

LoadAttempts::Version& LoadAttempts::at(const std::string& model, int64_t version, const std::string& place) {
  Version& entry = versions_[{model, version}];
  if (entry.serial == 0 || entry.place != place) entry = {place, 0, 0, {}, ++last_serial_};
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

std::map<LoadAttempts::Key, LoadAttempts::Version> LoadAttempts::view() const {
  const MutexLock lock(mutex_);
  return versions_;
}

void LoadAttempts::forget(const Key& key) {
  const MutexLock lock(mutex_);
  versions_.erase(key);
}

}  // namespace modelmill
