// The regular work on what serves.

#include "base/log.h"
#include "lifecycle/controller_core.h"

namespace modelmill {

void ControllerCore::scale(TimePoint now) {
  std::vector<std::pair<std::shared_ptr<ModelVersion>, std::shared_ptr<InstanceScaler>>> scaled;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, model] : models_)
      for (const auto& [number, version] : model.versions)
        if (version.scaler && version.serving) scaled.emplace_back(version.serving->share(), version.scaler);
  }
  for (const auto& [version, scaler] : scaled) {
    // Inside the gate, so that a shutdown waits for what is being made.
    const VersionPin pin(version);
    if (!pin) continue;
    const MutexLock one_at_a_time(scaling_mutex_);
    if (!follows(*version, *scaler)) continue;
    const InstanceLoad load = version->load();
    const auto choice = version->choose_instances(scaler->limits());
    const auto gain = choice ? std::nullopt : version->gain_of_another();
    const auto decision = scaler->observe(now, load, choice ? &*choice : nullptr, gain);
    if (decision.reason.empty()) continue;
    const Status status = version->set_instances(decision.instances, decision.kind, decision.reason);
    if (!status.ok()) scaler->held_back(now, version->load().instances);
    const bool full = status.code() == Code::kResourceExhausted;
    Log::write(status.ok() ? LogLevel::kInfo
               : full      ? LogLevel::kWarning
                           : LogLevel::kError,
               status.ok() ? "instances changed"
               : full      ? "instances are held back"
                           : "instances can't be made",
               {{"model", version->name()},
                {"version", version->version()},
                {"from", load.instances},
                {"to", version->load().instances},
                {"reason", status.ok() ? decision.reason : status.message()}});
  }
}

/// Whether a version's number of instances is still what this scaler says: a client may have said another meanwhile.
bool ControllerCore::follows(const ModelVersion& version, const InstanceScaler& scaler) const {
  const MutexLock lock(mutex_);
  const auto model = models_.find(version.name());
  if (model == models_.end()) return false;
  const auto record = model->second.versions.find(version.version());
  return record != model->second.versions.end() && record->second.scaler.get() == &scaler;
}

void ControllerCore::keep_costs() {
  struct Kept {
    std::string model;
    std::shared_ptr<ModelVersion> version;
    std::string key;
    int64_t executions;
  };
  std::vector<Kept> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, model] : models_)
      for (const auto& [number, version] : model.versions)
        if (version.serving && !version.cost_key.empty())
          all.push_back({name, version.serving->share(), version.cost_key, version.executions_kept});
  }
  for (const Kept& kept : all) {
    const auto learned = kept.version->learned();
    const int64_t executions = executions_of(learned);
    if (executions == kept.executions) continue;
    const Status status = costs_.write(kept.key, learned);
    if (!status.ok()) {
      Log::warning("what was learned of costs can't be kept", {{"reason", status.message()}});
      return;
    }
    const MutexLock lock(mutex_);
    // It may have been unloaded meanwhile.
    if (const auto model = models_.find(kept.model); model != models_.end())
      if (const auto entry = model->second.versions.find(kept.version->version());
          entry != model->second.versions.end())
        entry->second.executions_kept = executions;
  }
}

}  // namespace modelmill
