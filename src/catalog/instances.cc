#include "catalog/instances.h"

namespace modelmill {

std::string place_text(const InstancePlace& place) {
  if (place.kind == InstanceGroup::Kind::kGpu) return "gpu " + std::to_string(place.device);
  std::string text = place.kind == InstanceGroup::Kind::kModel ? "model" : "cpu";
  for (size_t i = 0; i < place.cores.size(); ++i)
    text += (i == 0 ? (place.cores.size() == 1 ? " on core " : " on cores ") : ",") + std::to_string(place.cores[i]);
  return text;
}

const char* scaling_reason_name(ScalingReason reason) {
  switch (reason) {
    case ScalingReason::kBusy: return "busy";
    case ScalingReason::kTrial: return "trial";
    case ScalingReason::kMeasured: return "measured";
    case ScalingReason::kLate: return "late";
    case ScalingReason::kNoGain: return "no gain";
    case ScalingReason::kEnough: return "enough";
    case ScalingReason::kRequest: return "request";
    case ScalingReason::kIdle: return "idle";
    case ScalingReason::kLimits: return "limits";
    case ScalingReason::kClient: return "client";
    case ScalingReason::kUnload: return "unload";
    case ScalingReason::kReload: return "reload";
  }
  return "";
}

}  // namespace modelmill
