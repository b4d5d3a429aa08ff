#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "repository/version_files.h"

namespace modelmill {

/// Tells when files that are being copied have come to rest: when nothing of them has changed for a while. Time is the
/// monotonic clock's alone, so files dated in the future and steps of the wall clock don't matter.
///
/// Pure: it looks at nothing itself. For one thread.
class Settler {
 public:
  /// `settle`: for how long nothing may change; with zero everything is settled at first sight.
  explicit Settler(Duration settle) : settle_(settle) {}

  /// What `key` looks like at `now`: true when it has looked the same for at least `settle`, and for as long as it
  /// stays so.
  bool observe(const std::string& key, const VersionFingerprint& fingerprint, TimePoint now);

  /// When `key` will be settled if nothing changes: the time for the next look. kNever for a key that was not observed.
  TimePoint settles_at(const std::string& key) const;

  /// The key is gone, or could not be looked at: when it is back its time begins anew.
  void forget(const std::string& key) { seen_.erase(key); }

 private:
  struct Seen {
    VersionFingerprint fingerprint;
    TimePoint since;
  };

  const Duration settle_;
  std::map<std::string, Seen> seen_;
};

}  // namespace modelmill
