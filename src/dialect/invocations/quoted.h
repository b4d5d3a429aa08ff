#pragma once

#include <span>
#include <string>
#include <string_view>

namespace modelmill::invocations {

/// What a client sent, as an error shows it: of a long text the begin, of many names the first ten, so that no answer
/// is as large as its request.
std::string shortened(std::string_view text);
std::string quoted_name(std::string_view name);
std::string quoted_list(std::span<const std::string> names);

}  // namespace modelmill::invocations
