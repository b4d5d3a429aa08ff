#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What `modelmill route` prints, from the server's answers in JSON: the list, one route, its history. INTERNAL where
/// an answer is of a server that this program does not understand.
Result<std::string> route_list_text(std::string_view json);
Result<std::string> route_text(std::string_view json);
Result<std::string> route_history_text(std::string_view json);

}  // namespace modelmill
