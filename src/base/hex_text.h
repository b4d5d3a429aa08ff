#pragma once

#include <span>
#include <string>

namespace modelmill {

/// Two lower-case hexadecimal digits for each byte.
std::string hex_text(std::span<const unsigned char> bytes);

}  // namespace modelmill
