#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// `text` with everything but letters, digits and "-_.~" as %XX: for one segment of a path or one value of a query.
std::string percent_encode(std::string_view text);

/// A path's segment without its %XX. INVALID_ARGUMENT for a broken escape.
Result<std::string> decode_percents(std::string_view text);

/// The names and values of a URL's query, or of a form that is written like one, in their order and decoded ("+" is a
/// space). More than `most` are INVALID_ARGUMENT, and so is a broken escape.
using NamedTexts = std::vector<std::pair<std::string, std::string>>;
Result<NamedTexts> parse_query(std::string_view query, size_t most = 1024);

}  // namespace modelmill
