#include "catalog/execution_order.h"

#include <algorithm>

#include "base/check.h"

namespace modelmill {

void ExecutionOrder::wait(Runner& runner) {
  MM_CHECK(!runner.waits && !runner.holds, "who waits for resources has none");
  runner.waits = true;
  runner.runs = std::max(runner.runs, last_);
  runner.came = ++arrivals_;
  waiting_.insert(&runner);
}

void ExecutionOrder::leave(Runner& runner) {
  if (!runner.waits) return;
  waiting_.erase(&runner);
  runner.waits = false;
}

void ExecutionOrder::give_back(Runner& runner, bool ran) {
  if (!runner.holds) return;
  runner.holds = false;
  for (const auto& [key, count] : *runner.needs) {
    const auto it = taken_.find(key);
    it->second -= count;
    if (it->second == 0) taken_.erase(it);
  }
  if (ran) runner.runs += runner.priority;
}

std::vector<ExecutionOrder::Runner*> ExecutionOrder::grant() {
  std::vector<Runner*> out;
  if (waiting_.empty()) return out;
  // What is taken, and what those before need: later ones leave it alone.
  ResourceCounts spoken_for = taken_;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Runner& runner = **it;
    const bool fits = std::all_of(runner.needs->begin(), runner.needs->end(), [&](const auto& need) {
      return spoken_for[need.first] + need.second <= limits_[need.first];
    });
    for (const auto& [key, count] : *runner.needs) spoken_for[key] += count;
    if (!fits) {
      ++it;
      continue;
    }
    it = waiting_.erase(it);
    runner.waits = false;
    runner.holds = true;
    for (const auto& [key, count] : *runner.needs) taken_[key] += count;
    last_ = std::max(last_, runner.runs);
    out.push_back(&runner);
  }
  return out;
}

int64_t ExecutionOrder::taken(const ResourceKey& key) const {
  const auto it = taken_.find(key);
  return it == taken_.end() ? 0 : it->second;
}

}  // namespace modelmill
