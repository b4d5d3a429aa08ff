#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

using Properties = std::map<std::string, std::string, std::less<>>;

/// The text of a .properties file of Java's: "key = value", "key: value" or "key value" on a line, '#' and '!' before
/// comments, '\' at a line's end to go on, and before what would mean something else. Of keys given twice the last one
/// counts. INVALID_ARGUMENT for a broken \uXXXX.
Result<Properties> parse_properties(std::string_view text);

/// A text that parse_properties() reads as these; values have no '\0'.
std::string properties_text(const Properties& properties);

}  // namespace modelmill
