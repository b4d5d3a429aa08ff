#pragma once

#include <list>
#include <memory>

#include "base/clock.h"
#include "wire/loop.h"

namespace modelmill::wire {

class Connection;

/// The connections of one loop, and the look that is cast at all of them from time to time to find what is idle, slow
/// or stalled: one timer for all, and nothing to do for it when bytes move. A look at many is cast in parts, with turns
/// of the loop between them. Belongs to the loop's thread.
class ConnectionSet {
 public:
  /// Without an interval no look is cast.
  ConnectionSet(Loop& loop, Duration interval);
  ConnectionSet(ConnectionSet&&) = default;
  ~ConnectionSet();

  void insert(std::shared_ptr<Connection> connection);
  void erase(const std::shared_ptr<Connection>& connection);

  bool empty() const { return connections_.empty(); }
  auto begin() const { return connections_.begin(); }
  auto end() const { return connections_.end(); }

 private:
  void arm();
  void look();
  void look_on();

  Loop& loop_;
  Duration interval_;
  TimePoint looked_{};  // at the last look, or the beginning
  TimePoint time_{};    // as looks count it
  std::list<std::shared_ptr<Connection>> connections_;
  std::list<std::shared_ptr<Connection>>::iterator next_;  // to be looked at, while a look is being cast
  bool looking_ = false;
  std::unique_ptr<Loop::Timer> timer_;  // while there are any
};

}  // namespace modelmill::wire
