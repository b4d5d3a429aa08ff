#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "modelmill/backend.h"

namespace modelmill::pytorch {

/// What the code of a package expects of one input.
struct PackageInput {
  struct Size {
    int64_t least = 0, most = -1;  // -1: no limit
    bool fixed() const { return least == most; }
  };
  mm_dtype dtype = MM_DTYPE_INVALID;
  std::vector<Size> sizes;
};

/// Reads the inputs out of the C++ that AOTInductor writes around a model and packs beside the code: the package has
/// them nowhere else, and the code trusts what it is called with. nullopt when they can't be told wholly.
std::optional<std::vector<PackageInput>> read_wrapper(std::string_view source);

}  // namespace modelmill::pytorch
