#include "lifecycle/instance_kinds.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace modelmill {

Status choose_instance_kinds(ModelDefinition& definition, std::vector<int> gpus, int backend_gpus) {
  if (backend_gpus >= 0) {
    gpus.resize(static_cast<size_t>(backend_gpus));
    std::iota(gpus.begin(), gpus.end(), 0);
  }
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

}  // namespace modelmill
