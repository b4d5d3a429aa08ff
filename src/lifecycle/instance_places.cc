#include "lifecycle/instance_places.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lifecycle/adapting_instance.h"
#include "lifecycle/warmup.h"

namespace modelmill {
namespace {

/// Instances where neither the operator nor the model nor the backend says how many.
constexpr int kMostDefaultInstances = 8;

}  // namespace

std::vector<GroupPlace> group_places(const ModelDefinition& definition) {
  std::vector<GroupPlace> out;
  for (const InstanceGroup& group : definition.instance_groups) {
    std::vector<int> devices = group.gpus;
    if (devices.empty()) devices.push_back(0);
    int index = 0;
    for (const int device : devices)
      for (int i = 0; i < std::max(group.count, 1); ++i) out.push_back({&group, index++, device});
  }
  return out;
}

void take_claim_of_device(InstancePlace& place, const std::vector<InstancePlace>& planned,
                          const ModelDefinition& definition) {
  if (!place.claim) return;
  const std::vector<GroupPlace> groups = group_places(definition);
  const InstanceGroup* group = nullptr;
  for (size_t i = 0; i < planned.size(); ++i)
    if (planned[i].claim == place.claim) group = groups[i].group;
  std::shared_ptr<ExecutionClaim> claim;
  for (size_t i = 0; i < planned.size(); ++i) {
    if (planned[i].kind != place.kind || planned[i].device != place.device || !planned[i].claim) continue;
    if (!claim || groups[i].group == group) claim = planned[i].claim;
  }
  if (claim) place.claim = std::move(claim);
}

int threads_of_instance(const ModelDefinition& definition, const LoadSettings& settings) {
  return definition.instance_threads > 0 ? definition.instance_threads : settings.instance_threads;
}

int default_instance_count(const ModelDefinition& definition, const BackendModelInfo& info,
                           const LoadSettings& settings, InstanceGroup::Kind kind) {
  if (info.concurrent_execute) return 1;
  if (settings.instances > 0) return settings.instances;
  if (kind == InstanceGroup::Kind::kGpu) return 1;
  if (info.recommended_instances > 0) return info.recommended_instances;
  if (kind != InstanceGroup::Kind::kCpu) return 1;
  return std::clamp(settings.cores / std::max(threads_of_instance(definition, settings), 1), 1, kMostDefaultInstances);
}

std::function<Result<std::unique_ptr<BackendInstance>>(BackendModel&, int, InstancePlace&)> instance_maker(
    InstancePattern pattern) {
  return [pattern = std::make_shared<const InstancePattern>(std::move(pattern))](
             BackendModel& model, int index, InstancePlace& place) -> Result<std::unique_ptr<BackendInstance>> {
    const ModelDefinition& definition = pattern->definition;
    const std::string name = definition.instance_groups.front().name + '_' + std::to_string(index);
    const int wanted = place.device;
    MM_ASSIGN_OR_RETURN(auto instance, pattern->claims->make_anywhere(model, name, place, pattern->places));
    if (place.device != wanted) take_claim_of_device(place, pattern->places, definition);
    if (needs_adapting(definition, model.info().signature))
      instance = adapt_instance(std::move(instance), definition, pattern->batched);
    if (pattern->open_size && !definition.decoupled)
      run_default_warmup(*instance, definition, pattern->version, pattern->signature, pattern->batched,
                         *pattern->open_size, pattern->rows);
    MM_RETURN_IF_ERROR(pattern->claims->recount(model));
    return instance;
  };
}

}  // namespace modelmill
