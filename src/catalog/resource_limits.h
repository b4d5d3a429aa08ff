#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/execution_resources.h"

namespace modelmill {

/// A resource at a place.
struct ResourceKey {
  static constexpr int kGlobal = -1;
  int device = 0;  // or kGlobal
  std::string name;
  friend auto operator<=>(const ResourceKey&, const ResourceKey&) = default;
};

/// How much there is of each, or is needed.
using ResourceCounts = std::map<ResourceKey, int64_t>;

/// What instances on this device need. Of a resource that is named twice the larger counts.
ResourceCounts counts_of(const std::vector<ResourceNeed>& needs, int device);

/// How much there is of each resource that instances need: as is declared, or, where nothing is declared at all, as
/// much as the instance that needs most of it, so that each can run. An error: some instance could never run, or one
/// name stands for a global resource and for one of devices. Pure.
Result<ResourceCounts> resource_limits(std::span<const ResourceCounts* const> needs,
                                       std::span<const DeclaredResource> declared);

}  // namespace modelmill
