#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// "1.5 GiB".
std::string bytes_text(uint64_t bytes);

/// A size for people: a number, maybe with a unit of powers of 1,024: "8GiB", "512 MB", "1.5g", "4096".
/// INVALID_ARGUMENT otherwise.
Result<uint64_t> parse_bytes(std::string_view text);

}  // namespace modelmill
