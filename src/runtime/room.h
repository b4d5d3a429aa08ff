#pragma once

namespace modelmill {

/// Where those who make answers wait while whoever takes them has too many that are not used yet. Thread-safe.
class Room {
 public:
  virtual ~Room() = default;
  /// Returns when there is room for another one, and at once where waiting would keep a loop from its work.
  virtual void wait_for_room() = 0;
};

}  // namespace modelmill
