#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What `modelmill route shadow` prints, from the server's answer in JSON. INTERNAL where it is not understood.
Result<std::string> route_shadow_text(std::string_view json);

/// A line of `modelmill route show` for each shadow of the server's answer.
std::string shadow_lines(const simdjson::dom::element& document);

}  // namespace modelmill
