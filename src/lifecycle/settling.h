#pragma once

#include <map>
#include <string>

#include "base/clock.h"

namespace modelmill {

/// Whether things have come to rest: each is known by a key, and its content by a stamp. Pure; time is the caller's,
/// and monotonic.
class Settling {
 public:
  explicit Settling(Duration rest) : rest_(rest) {}

  /// True when the key has had this stamp at each look for the time of rest; then it is forgotten.
  bool observe(const std::string& key, const std::string& stamp, TimePoint now) {
    const auto [it, fresh] = seen_.try_emplace(key, Look{stamp, now});
    if (!fresh && it->second.stamp != stamp) it->second = {stamp, now};
    if (now - it->second.since < rest_) return false;
    seen_.erase(it);
    return true;
  }
  void forget(const std::string& key) { seen_.erase(key); }

 private:
  struct Look {
    std::string stamp;
    TimePoint since;
  };
  Duration rest_;
  std::map<std::string, Look> seen_;
};

}  // namespace modelmill
