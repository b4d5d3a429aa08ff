#include "route/routes.h"

#include <algorithm>
#include <utility>

#include "runtime/thread_slot.h"

namespace modelmill {

void Routes::publish(const std::vector<RouteDefinition>& definitions) {
  const MutexLock publishing(publish_mutex_);
  auto table = std::make_shared<Table>();
  for (const RouteDefinition& definition : definitions) {
    std::shared_ptr<const Route> route;
    if (published_)
      if (const auto it = published_->find(definition.name);
          it != published_->end() && it->second->definition() == definition)
        route = it->second;
    if (!route)
      route = std::make_shared<const Route>(definition, arm_stats_, shadow_stats_, exposures_of(definition.name));
    table->emplace(definition.name, std::move(route));
  }
  const bool any = !table->empty();
  // Let go of outside of the slots' locks.
  const std::shared_ptr<const Table> old = std::exchange(published_, std::move(table));
  if (any) any_.store(true, std::memory_order_relaxed);
  for (Slot& slot : slots_) {
    const MutexLock lock(slot.mutex);
    slot.table = published_;
  }
  if (!any) any_.store(false, std::memory_order_relaxed);
}

std::shared_ptr<Exposures> Routes::exposures_of(const std::string& route) {
  std::erase_if(exposures_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<Exposures>& kept = exposures_[route];
  std::shared_ptr<Exposures> exposures = kept.lock();
  if (!exposures) kept = exposures = std::make_shared<Exposures>();
  return exposures;
}

std::shared_ptr<Exposures> Routes::exposures(std::string_view route) const {
  const std::shared_ptr<const Route> found = find(route);
  return found ? found->exposures() : nullptr;
}

std::shared_ptr<const Route> Routes::look(std::string_view name) const {
  const Slot& slot = slots_[thread_slot() % kSlots];
  const MutexLock lock(slot.mutex);
  if (!slot.table) return nullptr;
  const auto it = slot.table->find(name);
  return it == slot.table->end() ? nullptr : it->second;
}

ArmCounts Routes::counts(std::string_view route, const RouteTarget& arm) const {
  const std::shared_ptr<const Route> found = find(route);
  if (!found) return {};
  for (const Route::Arm& one : found->arms())
    if (one.to == arm) return one.stats->watched();
  return {};
}

CopyCounts Routes::copies(std::string_view route, const RouteTarget& shadow) const {
  const std::shared_ptr<const Route> found = find(route);
  if (!found) return {};
  for (const Route::Shadow& one : found->shadows()) {
    if (one.definition.to != shadow) continue;
    const ShadowCounts counts = one.stats->counts();
    return {counts.compared, counts.disagreed, counts.failed, counts.shed, counts.not_compared};
  }
  return {};
}

std::vector<std::shared_ptr<const Route>> Routes::leading_to(std::string_view model) const {
  std::shared_ptr<const Table> table;
  {
    const Slot& slot = slots_[thread_slot() % kSlots];
    const MutexLock lock(slot.mutex);
    table = slot.table;
  }
  std::vector<std::shared_ptr<const Route>> found;
  if (!table) return found;
  for (const auto& [name, route] : *table)
    if (std::any_of(route->arms().begin(), route->arms().end(),
                    [&](const Route::Arm& arm) { return arm.to.model == model; }))
      found.push_back(route);
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->name() < b->name(); });
  return found;
}

}  // namespace modelmill
