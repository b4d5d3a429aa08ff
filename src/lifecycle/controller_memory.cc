// Which models are in memory, when not all may be.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"
#include "lifecycle/memory_budget.h"

namespace modelmill {
namespace {

/// When a model was last asked, or else loaded.
uint64_t used_ms(const ModelRecord& model) {
  uint64_t used = model.loaded_ms;
  for (const auto& [number, version] : model.versions)
    if (version.stats) used = std::max(used, version.stats->view().last_inference_ms);
  return used;
}

}  // namespace

/// Which models must go for `needed` more bytes; a bound is set.
Result<std::vector<std::string>> ControllerCore::leave_for(const ModelRecord& model, uint64_t needed) const {
  std::vector<ResidentModel> residents;
  for (const auto& [name, other] : models_) {
    const uint64_t bytes = other.bytes();
    if (bytes == 0) continue;
    const bool pinned = other.target && other.target->definition.pinned;
    residents.push_back({name, bytes, used_ms(other), !pinned && !other.in_motion()});
  }
  return make_room(residents, leaving(), control_.memory_budget, model.name, model.bytes() + needed);
}

uint64_t ControllerCore::leaving() const {
  uint64_t bytes = 0;
  for (const auto& [name, model] : models_) bytes += model.leaving;
  return bytes;
}

uint64_t ControllerCore::resident() const {
  uint64_t bytes = 0;
  for (const auto& [name, model] : models_) bytes += model.bytes();
  return bytes;
}

ControllerCore::Room ControllerCore::room_for(ModelRecord& model, int64_t number, uint64_t needed, Aftermath& after) {
  if (control_.memory_budget == 0 || resident() + needed <= control_.memory_budget) return Room::kThere;
  const auto leave = leave_for(model, needed);
  // What moves now may make the room; otherwise there is none.
  if (leave.ok() || leaving() > 0) {
    waiting_for_room_.insert(model.name);
    if (leave.ok())
      for (const std::string& name : *leave) put_away(models_.at(name), after);
    return Room::kComing;
  }
  for (const WantedVersion& wanted : model.effective()->wanted)
    if (wanted.version == number) reject(model, {model.name, wanted, model.effective()}, leave.status());
  return Room::kNone;
}

/// A version has been loaded, and what it takes is known: others go if that is too much. An error: it is too much
/// itself.
Status ControllerCore::keep_within_budget(const ModelRecord& model, Aftermath& after) {
  if (control_.memory_budget == 0 || resident() <= control_.memory_budget) return ok_status();
  MM_ASSIGN_OR_RETURN(const std::vector<std::string> leave, leave_for(model, 0));
  for (const std::string& name : leave) put_away(models_.at(name), after);
  return ok_status();
}

void ControllerCore::set_device_budgets(const DeviceBudgets& declared) {
  DeviceBudgets budgets = control_.device_budgets;
  if (!budgets.each) budgets.each = declared.each;
  // What the options say of all devices comes before what files say of one.
  if (!control_.device_budgets.each) budgets.of.insert(declared.of.begin(), declared.of.end());
  // For good: what was put away must be able to come back.
  demand_.use(demand_.in_use() || control_.on_demand || control_.memory_budget > 0 || !budgets.empty());
  devices_->set_budgets(std::move(budgets));
}

/// On a loading thread: has models go whose GPU memory a load needs. False: none can. True: some do, and to try again
/// is worth it once that has changed something.
bool ControllerCore::make_room_on(const std::string& model, int gpu, uint64_t bytes) {
  Aftermath after;
  bool coming = false;
  {
    const MutexLock lock(mutex_);
    coming = !stopping_ && leave_gpu_for(model, gpu, bytes, after);
    publish(after);
  }
  finish_aftermath(std::move(after));
  return coming;
}

bool ControllerCore::leave_gpu_for(const std::string& name, int gpu, uint64_t bytes, Aftermath& after) {
  const auto budget = devices_->budget(gpu);
  if (!budget) return true;  // since a moment ago
  uint64_t needed = bytes, leaving = 0;
  bool moving = false;
  std::vector<ResidentModel> residents;
  for (const auto& [holder, held] : devices_->held_by_model(gpu)) {
    if (holder == name) needed += held;
    const auto it = models_.find(holder);
    if (it == models_.end()) continue;
    const ModelRecord& other = it->second;
    const bool drains = std::any_of(other.versions.begin(), other.versions.end(),
                                    [](const auto& version) { return version.second.draining > 0; });
    moving |= drains;
    if (drains && !other.serves() && holder != name) leaving += held;
    const bool pinned = other.target && other.target->definition.pinned;
    const bool removable = demand_.in_use() && !pinned && other.serves() && !other.in_motion();
    residents.push_back({holder, held, used_ms(other), removable});
  }
  const auto leave = least_recently_used(residents, leaving, *budget, name, needed);
  if (leave)
    for (const std::string& other : *leave) put_away(models_.at(other), after);
  return leave || moving;
}

void ControllerCore::put_away(ModelRecord& model, Aftermath& after) {
  Log::info("model is put away to make room; it loads again when it is asked", {{"model", model.name}});
  model.awake = false;
  std::vector<int64_t> serving;
  for (const auto& [number, version] : model.versions)
    if (version.serving) serving.push_back(number);
  for (const int64_t number : serving)
    take_from_clients(model, number, "put away to make room; it loads at the next request", after);
  put_entry(model);
}

}  // namespace modelmill
