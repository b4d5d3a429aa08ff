#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/answer_memory.h"

namespace modelmill {

/// How much each member's answer counts. Immutable.
struct WeightTable {
  std::vector<std::pair<std::string, double>> members;  // "forest", "boosted@2"; sum to 1

  std::optional<double> of(std::string_view member) const {
    for (const auto& [name, weight] : members)
      if (name == member) return weight;
    return std::nullopt;
  }
};

/// Where the planes meet over the weights of one combination: the control plane says how they are, requests read them
/// and leave what the members said to them. As long as there is nothing to say it costs a request two atomic loads.
/// Thread-safe.
class CombinationWeights {
 public:
  /// Null: those of the configuration.
  std::shared_ptr<const WeightTable> table() const {
    if (!has_table_.load(std::memory_order_acquire)) return nullptr;
    const MutexLock lock(mutex_);
    return table_;
  }
  void publish(std::shared_ptr<const WeightTable> table) {
    const MutexLock lock(mutex_);
    has_table_.store(table != nullptr, std::memory_order_release);
    table_.swap(table);  // the old one is freed without the lock
  }

  /// Whether answers are to be remembered.
  bool remembers() const { return remembers_.load(std::memory_order_relaxed); }
  void remember(bool wanted) { remembers_.store(wanted, std::memory_order_relaxed); }
  AnswerMemory& answers() { return answers_; }

 private:
  std::atomic<bool> has_table_{false};
  std::atomic<bool> remembers_{false};
  mutable Mutex mutex_;
  std::shared_ptr<const WeightTable> table_ MM_GUARDED_BY(mutex_);
  AnswerMemory answers_;
};

}  // namespace modelmill
