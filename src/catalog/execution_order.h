#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "catalog/resource_limits.h"

namespace modelmill {

/// Which of those that wait for resources may run. They take all that they need at once, so nobody holds something
/// while it waits for more. Who has run least comes first, where a run counts as many times as its priority says: of
/// two that always want to run one with priority 2 runs half as often as one with 1. Who has not run for a while, or is
/// new, has no more to claim for that than the others at that moment. Who comes later may run first only with what
/// those before it don't need, so each gets its turn. Pure: it decides, and nobody waits in it. Not thread-safe.
class ExecutionOrder {
 public:
  /// One that runs once at a time. It outlives its stay in here.
  struct Runner {
    const ResourceCounts* needs = nullptr;
    uint64_t priority = 1;  // at least 1
    uint64_t runs = 0;      // times priority, and what it has missed
    uint64_t came = 0;      // when it began to wait: a count
    bool waits = false;
    bool holds = false;
  };

  void set_limits(ResourceCounts limits) { limits_ = std::move(limits); }

  /// It neither waits nor holds anything.
  void wait(Runner& runner);
  /// It waits no more.
  void leave(Runner& runner);
  /// What it holds is there again. If it `ran`, that counts.
  void give_back(Runner& runner, bool ran);
  /// Gives what they need to those who may run now, in order.
  std::vector<Runner*> grant();

  int64_t taken(const ResourceKey& key) const;
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Before {
    bool operator()(const Runner* a, const Runner* b) const {
      return a->runs != b->runs ? a->runs < b->runs : a->came < b->came;
    }
  };

  ResourceCounts limits_;
  ResourceCounts taken_;
  std::set<Runner*, Before> waiting_;
  uint64_t last_ = 0;  // where in the order whoever was given something last stood
  uint64_t arrivals_ = 0;
};

}  // namespace modelmill
