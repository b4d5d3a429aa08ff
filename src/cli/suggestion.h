#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelmill {

/// "; did you mean 'X'?" for the known word that is nearest to `wrong`, or nothing when none is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace modelmill
