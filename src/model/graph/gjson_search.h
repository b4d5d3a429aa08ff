#pragma once

#include <string_view>

#include "model/graph/gjson_value.h"

namespace modelmill::gjson {

/// What a path, which GjsonPath::parse() has read, leads to from `from`.
Value search(const Value& from, std::string_view path);

}  // namespace modelmill::gjson
