// What is to be served, for those who note it.

#include <algorithm>
#include <filesystem>
#include <utility>

#include "lifecycle/controller_core.h"

namespace modelmill {
namespace {

/// Of a version that does not serve, as it is configured.
InstanceLimits configured_limits(const ModelDefinition& definition) {
  const InstanceRange& range = definition.instance_range;
  if (range.max == 0) return {0, 0, {}};
  const int least = std::max(range.min.value_or(1), 1);
  return {least, std::max(range.max.value_or(least), least), {}};
}

}  // namespace

std::vector<RegisteredVersion> ControllerCore::registered() const {
  std::vector<RegisteredVersion> out;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, model] : models_) {
      if (model.gone || model.unloaded_by_client || !model.target) continue;
      const auto target = model.effective();
      const ModelEntry* const entry = table_.find(name);
      const auto* served = entry == nullptr ? nullptr : entry->find(0);
      const int64_t last = target->wanted.empty() ? 0 : target->wanted.back().version;
      const int64_t chosen =
          served != nullptr ? (*served)->version() : target->definition.default_version.value_or(last);
      for (const WantedVersion& wanted : target->wanted) {
        const auto record = model.versions.find(wanted.version);
        const bool serves = record != model.versions.end() && record->second.serving;
        out.push_back({name,
                       wanted.version,
                       wanted.version == chosen,
                       source_of(*target, wanted.version),
                       {},
                       serves ? record->second.limits : configured_limits(target->definition),
                       {target, &target->definition}});
      }
    }
  }
  for (RegisteredVersion& version : out) {
    version.url = remote_.url_of(version.file);
    version.file = std::filesystem::path(version.file).filename().string();
  }
  return out;
}

}  // namespace modelmill
