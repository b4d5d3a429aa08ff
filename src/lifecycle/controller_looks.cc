// What a look at the repository changes.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "lifecycle/controller_core.h"
#include "model/definition_key.h"

namespace modelmill {
namespace {

/// One text for all that decides what is served of a model. `Of`: SeenModel or ModelTarget.
template <typename Of>
std::string stamp_of(const Of& of) {
  std::string stamp;
  for (const WantedVersion& version : of.wanted) stamp += std::to_string(version.version) + '=' + version.stamp + ';';
  return stamp + serving_key(of.definition);
}

bool is_plain_file(const FoundModel& found) { return found.directory.empty(); }

/// A plain file has no number; each new content of it is the next version.
void number_plain_file(SeenModel& seen, const ModelTarget& before) {
  const WantedVersion& old = before.wanted.front();
  WantedVersion& now = seen.wanted.front();
  FoundVersion place = seen.places.begin()->second;
  now.version = place.version = old.stamp == now.stamp ? old.version : old.version + 1;
  seen.places = {{now.version, place}};
  seen.found.versions = {place};
}

}  // namespace

bool ControllerCore::takes_changes(const SeenModel& seen) const {
  switch (control_.mode) {
    case ControlMode::kPoll:
    case ControlMode::kWatch: return true;
    case ControlMode::kAuto: return seen.watched();
    case ControlMode::kNone:
    case ControlMode::kExplicit: return false;
  }
  return false;
}

bool ControllerCore::starts_awake(const std::string& model) const {
  if (control_.mode == ControlMode::kExplicit)
    return std::any_of(control_.load_models.begin(), control_.load_models.end(),
                       [&](const std::string& name) { return name == model || name == "*"; });
  return !control_.on_demand;
}

bool ControllerCore::take(Seen seen, const std::shared_ptr<const ModelSources>& sources, TimePoint now, bool first) {
  Aftermath after;
  bool at_rest = true;
  const auto states = first ? read_states() : std::map<std::string, ModelState>();
  {
    const MutexLock lock(mutex_);
    if (stopping_) return true;
    if (sources != sources_) return false;
    for (const std::string& note : seen.notes)
      if (notes_.insert(note).second) Log::warning("passed over", {{"reason", note}});
    note_lost(seen.lost);
    std::set<std::string> names;
    taking_ = true;
    for (SeenModel& model : seen.models) {
      names.insert(model.name());
      for (const std::string& note : model.notes)
        if (notes_.insert(model.name() + ": " + note).second)
          Log::info("configuration without effect", {{"model", model.name()}, {"reason", note}});
      const auto before = states.find(model.name());
      if (!take(std::move(model), before == states.end() ? nullptr : &before->second, now, first, after))
        at_rest = false;
    }
    // Of paths that can't be looked at nothing is known; then nothing has gone.
    if (!first && seen.lost.empty())
      for (auto& [name, model] : models_)
        if (!names.contains(name) && !take_absence(model, now, after)) at_rest = false;
    std::erase_if(models_, [](const auto& model) { return model.second.gone && model.second.versions.empty(); });
    taking_ = false;
    publish(after);
  }
  finish_aftermath(std::move(after));
  return at_rest;
}

void ControllerCore::note_lost(const std::map<std::string, Status>& lost) {
  for (const auto& [path, status] : lost)
    if (!lost_.contains(path))
      Log::warning("a path can't be looked at; what it held is served on",
                   {{"path", path}, {"reason", status.message()}});
  lost_ = lost;
}

bool ControllerCore::take(SeenModel seen, const ModelState* before, TimePoint now, bool first, Aftermath& after) {
  const std::string name = seen.name();
  auto [it, fresh] = models_.try_emplace(name);
  ModelRecord& model = it->second;
  if (fresh || model.gone) {
    model.name = name;
    model.gone = false;
    model.awake = starts_awake(name);
    model.came_later = !first;
    if (before != nullptr && seen.problem.ok()) restore(model, seen, *before);
  }
  if (model.target && model.target->sent) return true;
  if (!first && !takes_changes(seen)) {
    if (fresh) models_.erase(it);
    return true;
  }
  if (!seen.problem.ok()) {
    take_problem(model, seen, after);
    return true;
  }
  if (is_plain_file(seen.found) && model.target) number_plain_file(seen, *model.target);
  const std::string stamp = stamp_of(seen);
  if (model.target && stamp_of(*model.target) == stamp) {
    settling_.forget(name);
    model.problem.clear();
    return true;
  }
  if (!first && !settling_.observe(name, stamp, now)) {
    if (fresh) models_.erase(it);
    return false;
  }
  model.problem.clear();
  for (const int64_t missing : seen.missing)
    Log::error("version of the version policy is not there", {{"model", name}, {"version", missing}});
  set_target(model, target_of(std::move(seen), control_.allow_breaking), after);
  return true;
}

void ControllerCore::take_problem(ModelRecord& model, const SeenModel& seen, Aftermath& after) {
  const std::string problem = seen.problem.message();
  if (model.problem == problem) return;
  model.problem = problem;
  Log::error(model.serves() ? "new configuration not taken" : "model not loaded",
             {{"model", model.name}, {"reason", problem}});
  if (!model.serves())
    for (const FoundVersion& version : seen.found.versions) model.versions[version.version].reason = problem;
  put_entry(model);
  settle(model, after);
}

bool ControllerCore::take_absence(ModelRecord& model, TimePoint now, Aftermath& after) {
  const bool decides = model.target ? takes_changes({model.target->found, {}, {}, {}, {}})
                                    : control_.mode != ControlMode::kNone && control_.mode != ControlMode::kExplicit;
  if (!decides || model.gone || (model.target && model.target->sent)) return true;
  if (!settling_.observe(model.name, "gone", now)) return false;
  Log::info("model is gone from the repository", {{"model", model.name}});
  let_go(model, after);
  return true;
}

void ControllerCore::let_go(ModelRecord& model, Aftermath& after) {
  model.gone = true;
  model.awake = false;
  after.released.push_back(std::exchange(model.target, nullptr));
  model.problem.clear();
  advance(model, after);
}

}  // namespace modelmill
