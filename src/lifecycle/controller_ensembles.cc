// Models that are made of others: they load when their members have, and again when those change.

#include <utility>

#include "base/log.h"
#include "lifecycle/answer_rules.h"
#include "lifecycle/controller_load.h"
#include "lifecycle/ensemble_plan.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

/// The stamp of what serves and is to be loaded again.
constexpr const char* kMembersChanged = "members changed";

}  // namespace

std::vector<std::string> ControllerCore::members_of(const ModelRecord& model) const {
  if (!model.target || !model.effective()->definition.ensemble) return {};
  return model.effective()->definition.ensemble->members();
}

/// Whether `to` is among the members of `from`, or theirs.
bool ControllerCore::leads_to(const std::string& from, const std::string& to) const {
  std::set<std::string> seen;
  std::vector<std::string> left{from};
  while (!left.empty()) {
    const std::string name = std::move(left.back());
    left.pop_back();
    const auto it = models_.find(name);
    if (it == models_.end() || !seen.insert(name).second) continue;
    for (std::string& member : members_of(it->second)) {
      if (member == to) return true;
      left.push_back(std::move(member));
    }
  }
  return false;
}

/// What the members serve now; another text is a change.
std::string ControllerCore::members_key(const ModelRecord& model) const {
  std::string key;
  for (const std::string& name : members_of(model)) {
    key += name + '=';
    const auto it = models_.find(name);
    if (it == models_.end()) continue;
    for (const auto& [number, version] : it->second.versions)
      if (version.serving)
        key += std::to_string(number) + ':' + version.stamp + '@' + std::to_string(version.serial) + ',';
    key += std::to_string(it->second.default_version());
    for (const auto& [label, version] : it->second.labels()) key += ',' + label + ':' + std::to_string(version);
    key += ';';
  }
  return key;
}

bool ControllerCore::members_serve(const ModelRecord& model) const {
  for (const std::string& name : members_of(model)) {
    const auto it = models_.find(name);
    if (it == models_.end() || !it->second.serves()) return false;
  }
  return true;
}

/// All that can be done for its members is done, so it can be held against them. What is not loaded is, once for each
/// time that the ensemble is: a client who asks for an ensemble asks for all of it.
bool ControllerCore::members_are_settled(ModelRecord& model, Aftermath& after) {
  if (taking_) return false;
  const bool wake = !std::exchange(model.woke_members, true);
  bool settled = true;
  for (const std::string& name : members_of(model)) {
    const auto it = models_.find(name);
    if (it == models_.end() || it->second.gone || leads_to(name, model.name)) continue;
    ModelRecord& member = it->second;
    const bool may_wake = !member.unloaded_by_client || !model.waiters.empty();
    if (wake && may_wake && !member.awake && member.target) {
      member.awake = true;
      member.unloaded_by_client = false;
      member.forget_failures();
      advance(member, after);
    }
    settled = settled && member.at_rest();
  }
  if (!settled) return false;
  model.woke_members = false;
  model.members_key = members_key(model);
  return true;
}

/// Something was loaded, has gone or stands for another version: ensembles that wait for it or are made of it are seen
/// to. True: the table has changed.
bool ControllerCore::look_after_ensembles(Aftermath& after) {
  bool any = false;
  for (auto& [name, model] : models_) {
    if (stopping_ || !model.awake || members_of(model).empty()) continue;
    const bool changed = members_key(model) != model.members_key;
    if (!changed && model.settled()) continue;
    const bool complete = changed && members_serve(model);
    for (auto& [number, version] : model.versions) {
      if (!changed || !version.loading.empty()) continue;
      if (version.serving && complete) version.stamp = kMembersChanged;
      if (!version.serving || complete) version.failed.clear();
    }
    advance(model, after);
    any = true;
  }
  return any;
}

/// Triton's words for members that are not there.
Status ControllerCore::check_members(const Job& job) const {
  const MutexLock lock(mutex_);
  for (const std::string& name : job.target->definition.ensemble->members()) {
    const auto it = models_.find(name);
    if (it == models_.end() || it->second.gone)
      return invalid_argument("ensemble '" + job.model + "' contains models that are not available: '" + name +
                              "'; there is no model of that name");
    if (name == job.model || leads_to(name, job.model))
      return invalid_argument("ensemble '" + job.model + "' is a member of itself by way of '" + name + "'");
    if (it->second.serves()) continue;
    const Status why = it->second.outcome();
    return invalid_argument(
        "ensemble '" + job.model + "' depends on '" + name + "' which has no loaded version." +
        (why.ok() ? std::string() : " Model '" + name + "' loading failed with error: " + why.message()));
  }
  return ok_status();
}

/// Holds an ensemble against its members, which serve by now.
ControllerCore::Loaded ControllerCore::load_ensemble(const Job& job) {
  Loaded out;
  const TimePoint start = Clock::now();
  const ModelTarget& target = *job.target;
  ModelDefinition definition = target.definition;
  const FindMember find = [&](const EnsembleStep& step) -> Result<EnsembleMember> {
    const Result<VersionPin> pin = catalog_.pin(step.model, step.version, step.label);
    if (pin.ok()) return EnsembleMember{(*pin)->definition(), (*pin)->signature()};
    return invalid_argument("ensemble '" + job.model + "' depends on '" + step.model + "' whose required version " +
                            (step.label.empty() ? std::to_string(step.version) : "'" + step.label + "'") +
                            " is not loaded: " + pin.status().message());
  };
  const auto make = [&]() -> Status {
    if (!ensembles_) return unimplemented("this server serves no ensembles");
    MM_RETURN_IF_ERROR(check_members(job));
    MM_ASSIGN_OR_RETURN(PlannedEnsemble planned, plan_ensemble(definition, find));
    MM_RETURN_IF_ERROR(check_cache(definition, {.decoupled = definition.decoupled}));
    MM_ASSIGN_OR_RETURN(auto labels, read_labels(definition, target.found.directory));
    if (definition.platform.empty()) definition.platform = kEnsemblePlatform;
    out.stats = stats_of(job, definition);
    out.version = ensembles_(
        {std::move(definition), std::move(planned.signature), job.version.version, std::move(labels), {}, {}},
        out.stats, std::move(planned.plan));
    return ok_status();
  };
  out.status = make();
  out.took = Clock::now() - start;
  return out;
}

/// Members that are loaded for this ensemble alone: nobody asked for them by themselves, and no other ensemble that is
/// loaded has them.
std::vector<std::string> ControllerCore::lone_members(const std::string& name) const {
  std::vector<std::string> out;
  for (const auto& [member, model] : models_) {
    const bool by_itself = model.state.asked == ModelState::Asked::kLoaded || starts_awake(member);
    if (!model.awake || by_itself || !leads_to(name, member)) continue;
    bool shared = false;
    for (const auto& [other, ensemble] : models_)
      shared |= other != name && ensemble.awake && !leads_to(name, other) && leads_to(other, member);
    if (!shared) out.push_back(member);
  }
  return out;
}

void ControllerCore::unload_with_members(const std::string& name, const Done& done) {
  unload_alone(name, [this, name, done](const Status& status) {
    if (!status.ok()) return done(status);
    Aftermath after;
    {
      const MutexLock lock(mutex_);
      for (const std::string& member : lone_members(name)) {
        const auto it = models_.find(member);
        if (it == models_.end()) continue;
        it->second.awake = false;
        advance(it->second, after);
      }
      publish(after);
    }
    finish_aftermath(std::move(after));
    done(status);
  });
}

}  // namespace modelmill
