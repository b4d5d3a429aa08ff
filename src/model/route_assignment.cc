#include "model/route_assignment.h"

#include <bit>
#include <string>

#include "base/stable_hash.h"

namespace modelmill {

uint64_t assignment_hash(const RouteDefinition& route) {
  uint64_t hash = stable_hash(route.salt.empty() ? route.name : route.salt);
  hash = stable_hash(hash, route.sticky ? route.sticky->text() : "");
  for (const RouteArm& arm : route.split)
    hash = spread_bits(stable_hash(hash, arm.to.text()) ^ std::bit_cast<uint64_t>(arm.percent));
  return hash | 1;
}

}  // namespace modelmill
