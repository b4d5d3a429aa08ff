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
