#pragma once

#include <chrono>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// A time above zero and up to an hour, with its unit: "500us", "20ms", "1.5s". INVALID_ARGUMENT otherwise.
Result<std::chrono::microseconds> parse_duration(std::string_view text);

}  // namespace modelmill
