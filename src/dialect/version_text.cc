#include "dialect/version_text.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace modelmill {

bool is_version_number(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

Result<int64_t> parse_version(std::string_view model, std::string_view text) {
  if (text.empty()) return int64_t{0};
  int64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 0) {
    return invalid_argument("failed to get model version from specified version string '" + std::string(text) +
                            "', version should be an integral value > 0");
  }
  if (version == 0) {
    return not_found("Request for unknown model: '" + std::string(model) +
                     "' version 0 is not found; versions begin at 1");
  }
  return version;
}

Result<VersionPin> pin_version(const Catalog& catalog, std::string_view model, std::string_view text) {
  if (!is_version_number(text)) return catalog.pin(model, text);
  MM_ASSIGN_OR_RETURN(const int64_t number, parse_version(model, text));
  return catalog.pin(model, number);
}

Result<VersionPin> pin_path_version(const Catalog& catalog, std::string_view model, std::string_view text) {
  auto pin = pin_version(catalog, model, text);
  if (pin.status().code() != Code::kInvalidArgument) return pin;
  return not_found(pin.status().message());
}

Result<VersionPin> pin_path_version(const Catalog& catalog, std::string_view model, std::string_view text,
                                    const RoutedRequestPtr& routed) {
  if (!routed) return pin_path_version(catalog, model, text);
  return pin_along(*routed, catalog, [&](const RouteTarget& target) {
    return pin_path_version(catalog, target.model, target.version_text());
  });
}

}  // namespace modelmill
