#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace modelmill {

/// The number of a version's folder: from 1 on, without leading zeros unless `leading_zeros`. nullopt for any other
/// name. 0 is none: it stands for "the default version" in requests.
std::optional<int64_t> version_number(const std::string& name, bool leading_zeros = false);

bool is_all_digits(const std::string& name);

/// The number that a version's text of other servers is served as: "3" and "3.0" are 3, "1.2.3" is 1002003 (each
/// further part has three digits). nullopt for any other text.
std::optional<int64_t> number_of_version_text(const std::string& text);

}  // namespace modelmill
