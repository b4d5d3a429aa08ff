#pragma once

#include <cstdint>

namespace modelmill {

/// What has been counted of the copies that a shadow of a route got, since some moment.
struct CopyCounts {
  uint64_t compared = 0;      // copies whose answers were compared with what the client got
  uint64_t disagreed = 0;     // of them
  uint64_t failed = 0;        // copies that were answered with an error, or not in time
  uint64_t shed = 0;          // copies that were given up for want of room
  uint64_t not_compared = 0;  // copies that were answered well, and whose comparison failed

  /// Copies that the shadow has answered, well or not.
  uint64_t answered() const { return compared + failed + not_compared; }
  bool operator==(const CopyCounts&) const = default;
};

/// `now` less what had been counted `before`; what has begun anew since counts from there.
CopyCounts counted_since(const CopyCounts& now, const CopyCounts& before);
void add_to(CopyCounts& into, const CopyCounts& more);

}  // namespace modelmill
