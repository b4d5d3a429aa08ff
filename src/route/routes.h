#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "catalog/copy_counts.h"
#include "route/route.h"

namespace modelmill {

/// The routes that are in force, all of a moment: the control plane publishes, the data plane finds. Thread-safe. Where
/// there are none, find() is one relaxed load; else readers take a lock of their own that only a publish ever contends,
/// as those of Catalog do.
class Routes {
 public:
  explicit Routes(MetricRegistry& metrics) : arm_stats_(metrics), shadow_stats_(metrics) {}

  /// These and no others, from the return on. Each has passed check_route(), and none has another's name.
  void publish(const std::vector<RouteDefinition>& definitions);

  /// Null when there is none of that name.
  std::shared_ptr<const Route> find(std::string_view name) const {
    return any_.load(std::memory_order_relaxed) ? look(name) : nullptr;
  }

  /// What an arm of a route has answered since it was first asked for; nothing where there is no such arm.
  ArmCounts counts(std::string_view route, const RouteTarget& arm) const;
  /// What has come of the copies that a shadow of a route got; nothing where there is no such shadow.
  CopyCounts copies(std::string_view route, const RouteTarget& shadow) const;

  /// Who gets which arm of a route; null where there is no such route. Of a name they stay the same while anybody holds
  /// them, whatever becomes of the route.
  std::shared_ptr<Exposures> exposures(std::string_view route) const;

  /// The routes that may lead to a model, by name.
  std::vector<std::shared_ptr<const Route>> leading_to(std::string_view model) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Table = std::unordered_map<std::string, std::shared_ptr<const Route>, Hash, std::equal_to<>>;
  struct alignas(64) Slot {
    mutable Mutex mutex;
    std::shared_ptr<const Table> table MM_GUARDED_BY(mutex);
  };
  static constexpr size_t kSlots = 16;

  std::shared_ptr<const Route> look(std::string_view name) const;
  std::shared_ptr<Exposures> exposures_of(const std::string& route) MM_REQUIRES(publish_mutex_);

  ArmStatsTable arm_stats_;
  ShadowStatsTable shadow_stats_;
  Mutex publish_mutex_;  // one after the other, so that all slots end with the same table
  std::shared_ptr<const Table> published_ MM_GUARDED_BY(publish_mutex_);
  std::map<std::string, std::weak_ptr<Exposures>> exposures_ MM_GUARDED_BY(publish_mutex_);  // by route
  std::array<Slot, kSlots> slots_;
  std::atomic<bool> any_{false};
};

}  // namespace modelmill
