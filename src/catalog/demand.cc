#include "catalog/demand.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace modelmill {

void Demand::wait(Waiter waiter, TimePoint now) {
  const std::string model = waiter.model;
  std::optional<Waiter> refused;
  bool first = false;
  {
    const MutexLock lock(mutex_);
    if (requests_ >= limits_.requests || bytes_ + waiter.bytes > limits_.bytes) {
      refused = std::move(waiter);
    } else {
      ++requests_;
      bytes_ += waiter.bytes;
      auto& entries = models_[model];
      first = entries.empty();
      const TimePoint until = std::min(now + limits_.time, waiter.deadline);
      entries.push_back({std::move(waiter), until});
    }
  }
  if (refused)
    return refused->resume(resource_exhausted("model '" + model + "' is not loaded yet, and " +
                                              std::to_string(limits_.requests) +
                                              " requests wait for such models already; try again later"));
  if (!first) return;  // it is wanted already
  if (wanted_) return wanted_(model);
  settle(model, unavailable("model '" + model + "' is not loaded"));
}

void Demand::settle(const std::string& model, const Status& status) {
  std::deque<Entry> released;
  {
    const MutexLock lock(mutex_);
    const auto it = models_.find(model);
    if (it == models_.end()) return;
    released = std::move(it->second);
    models_.erase(it);
    requests_ -= released.size();
    for (const Entry& entry : released) bytes_ -= entry.waiter.bytes;
  }
  for (const Entry& entry : released) entry.waiter.resume(status);
}

void Demand::expire(TimePoint now) {
  std::vector<std::pair<Entry, Status>> released;
  {
    const MutexLock lock(mutex_);
    for (auto it = models_.begin(); it != models_.end();) {
      auto& entries = it->second;
      for (auto entry = entries.begin(); entry != entries.end();) {
        const Waiter& waiter = entry->waiter;
        Status status;
        if (waiter.cancel && waiter.cancel->cancelled())
          status = cancelled("the request was cancelled while it waited for model '" + it->first + "' to load");
        else if (now >= entry->until)
          status = deadline_exceeded("model '" + it->first + "' was not loaded in time");
        if (status.ok()) {
          ++entry;
          continue;
        }
        --requests_;
        bytes_ -= waiter.bytes;
        released.emplace_back(std::move(*entry), std::move(status));
        entry = entries.erase(entry);
      }
      it = entries.empty() ? models_.erase(it) : std::next(it);
    }
  }
  for (const auto& [entry, status] : released) entry.waiter.resume(status);
}

size_t Demand::waiting() const {
  const MutexLock lock(mutex_);
  return requests_;
}

}  // namespace modelmill
