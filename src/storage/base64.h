#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace modelmill {

std::string base64(std::string_view bytes);
/// With '-' and '_' and without '=' at the end, as JSON web tokens have it.
std::string base64_url(std::string_view bytes);
/// nullopt for what is not base64 with its padding.
std::optional<std::string> base64_bytes(std::string_view text);

}  // namespace modelmill
