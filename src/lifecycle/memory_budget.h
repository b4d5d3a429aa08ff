#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// A model that is in memory.
struct ResidentModel {
  std::string name;
  uint64_t bytes = 0;
  uint64_t used_ms = 0;   // when it was last asked, in Unix time
  bool removable = true;  // not pinned, nothing of it is loading
};

/// Which models go so that `needed` bytes for `model`, what it has already among them, fit into `budget` beside the
/// other residents, `leaving` bytes of which go already: the ones that were not used for longest, and no more than it
/// takes. nullopt when that is not enough. Pure.
std::optional<std::vector<std::string>> least_recently_used(const std::vector<ResidentModel>& residents,
                                                            uint64_t leaving, uint64_t budget, const std::string& model,
                                                            uint64_t needed);

/// The same for the memory of the process; RESOURCE_EXHAUSTED, with the numbers, when that is not enough. Pure.
Result<std::vector<std::string>> make_room(const std::vector<ResidentModel>& residents, uint64_t leaving,
                                           uint64_t budget, const std::string& model, uint64_t needed);

}  // namespace modelmill
