#include "catalog/instances.h"

namespace modelmill {

std::string place_text(const InstancePlace& place) {
  if (place.kind == InstanceGroup::Kind::kGpu) return "gpu " + std::to_string(place.device);
  std::string text = place.kind == InstanceGroup::Kind::kModel ? "model" : "cpu";
  for (size_t i = 0; i < place.cores.size(); ++i)
    text += (i == 0 ? (place.cores.size() == 1 ? " on core " : " on cores ") : ",") + std::to_string(place.cores[i]);
  return text;
}

}  // namespace modelmill
