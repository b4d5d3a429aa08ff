#include "lifecycle/instance_kinds.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

namespace modelmill {

namespace {

/// A backend that tells its GPUs is taken at its word.
std::vector<int> known_gpus(std::vector<int> gpus, int backend_gpus) {
  if (backend_gpus < 0) return gpus;
  gpus.resize(static_cast<size_t>(backend_gpus));
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

}  // namespace

bool says_where(const ModelDefinition& given) {
  return std::any_of(given.instance_groups.begin(), given.instance_groups.end(), [](const InstanceGroup& group) {
    return group.kind != InstanceGroup::Kind::kAuto || !group.gpus.empty();
  });
}

Status choose_instance_kinds(ModelDefinition& definition, std::vector<int> gpus, int backend_gpus) {
  gpus = known_gpus(std::move(gpus), backend_gpus);
  if (definition.instance_groups.empty() && backend_gpus > 0) definition.instance_groups.emplace_back();
  for (size_t i = 0; i < definition.instance_groups.size(); ++i) {
    InstanceGroup& group = definition.instance_groups[i];
    if (group.name.empty()) group.name = definition.name + '_' + std::to_string(i);
    // A backend that tells its GPUs is made for them.
    if (group.kind == InstanceGroup::Kind::kAuto && backend_gpus > 0) group.kind = InstanceGroup::Kind::kGpu;
    if (group.kind == InstanceGroup::Kind::kAuto) {
      group.kind = InstanceGroup::Kind::kCpu;
      group.gpus.clear();
    }
    if (group.kind != InstanceGroup::Kind::kGpu) continue;
    const std::string label = "instance group " + group.name + " of model " + definition.name;
    if (gpus.empty())
      return invalid_argument(label + " has kind KIND_GPU but no GPUs are available; use kind: KIND_CPU or KIND_AUTO");
    if (group.gpus.empty()) group.gpus = gpus;
    for (const int gpu : group.gpus)
      if (std::find(gpus.begin(), gpus.end(), gpu) == gpus.end())
        return invalid_argument(label + " specifies invalid or unsupported gpu id " + std::to_string(gpu));
  }
  return ok_status();
}

std::vector<int> gpus_of(const ModelDefinition& definition, std::vector<int> gpus, int backend_gpus) {
  std::set<int> out;
  for (const InstanceGroup& group : definition.instance_groups) {
    if (group.kind == InstanceGroup::Kind::kGpu) out.insert(group.gpus.begin(), group.gpus.end());
    if (group.kind != InstanceGroup::Kind::kModel) continue;
    const std::vector<int> all = known_gpus(gpus, backend_gpus);
    out.insert(all.begin(), all.end());
  }
  return {out.begin(), out.end()};
}

}  // namespace modelmill
