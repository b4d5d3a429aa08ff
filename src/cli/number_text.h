#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace modelmill {

/// "12,345"
std::string count_text(double value);
/// As a count, but with a decimal below ten, where it tells something: "0.5".
std::string rate_text(double value);
/// "1 model", "2 models".
std::string counted(size_t count, const char* what);
/// "210 us", "1.3 ms", "120 ms", "2.5 s"; "-" for none.
std::string time_text(const std::optional<double>& us);
/// By a format of printf that takes one double.
std::string number_text(const char* format, double value);

}  // namespace modelmill
