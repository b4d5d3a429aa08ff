#include "repository/settler.h"

namespace modelmill {

bool Settler::observe(const std::string& key, const VersionFingerprint& fingerprint, TimePoint now) {
  const auto [at, fresh] = seen_.try_emplace(key, Seen{fingerprint, now});
  if (!fresh && at->second.fingerprint != fingerprint) at->second = {fingerprint, now};
  return now - at->second.since >= settle_;
}

TimePoint Settler::settles_at(const std::string& key) const {
  const auto at = seen_.find(key);
  return at == seen_.end() ? kNever : at->second.since + settle_;
}

}  // namespace modelmill
