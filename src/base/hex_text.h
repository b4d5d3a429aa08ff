#pragma once

#include <span>
#include <string>

namespace modelmill {

/// Two lower-case hexadecimal digits for each byte.
std::string hex_text(std::span<const unsigned char> bytes);

/// The value of a hexadecimal digit in either case; -1 for any other character.
int hex_digit(char c);

}  // namespace modelmill
