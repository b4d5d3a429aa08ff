#include "catalog/resource_limits.h"

#include <algorithm>

namespace modelmill {
namespace {

/// 0: it is not declared.
int64_t declared_count(const ResourceKey& key, std::span<const DeclaredResource> declared) {
  int64_t count = 0;
  for (const DeclaredResource& resource : declared) {
    const bool here = key.device == ResourceKey::kGlobal || !resource.device || *resource.device == key.device;
    if (here && resource.name == key.name) count = std::max(count, resource.count);
  }
  return count;
}

std::string place_of(const ResourceKey& key) {
  return key.device == ResourceKey::kGlobal ? "" : " on device " + std::to_string(key.device);
}

}  // namespace

ResourceCounts counts_of(const std::vector<ResourceNeed>& needs, int device) {
  ResourceCounts out;
  for (const ResourceNeed& need : needs) {
    if (need.count <= 0) continue;
    int64_t& count = out[{need.global ? ResourceKey::kGlobal : device, need.name}];
    count = std::max(count, need.count);
  }
  return out;
}

Result<ResourceCounts> resource_limits(std::span<const ResourceCounts* const> needs,
                                       std::span<const DeclaredResource> declared) {
  ResourceCounts limits;
  for (const ResourceCounts* one : needs)
    for (const auto& [key, count] : *one) {
      int64_t& limit = limits[key];
      limit = std::max(limit, count);
    }
  for (const auto& [key, needed] : limits)
    if (key.device != ResourceKey::kGlobal && limits.contains({ResourceKey::kGlobal, key.name}))
      return invalid_argument("resource '" + key.name +
                              "' is present as both global and device-specific resource in the model configuration; "
                              "set 'global' alike in every rate_limiter that names it");
  if (declared.empty()) return limits;
  for (auto& [key, limit] : limits) {
    const int64_t count = declared_count(key, declared);
    if (count < limit)
      return invalid_argument(
          "resource count for '" + key.name + "'" + place_of(key) + " is limited to " + std::to_string(count) +
          " which will prevent scheduling of one or more model instances, the minimum required "
          "count is " +
          std::to_string(limit) + "; raise it with --rate-limit-resource " + key.name + ":" + std::to_string(limit));
    limit = count;
  }
  return limits;
}

}  // namespace modelmill
