#include "dialect/torchserve/model_version.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "dialect/torchserve/answers.h"

namespace modelmill::torchserve {
namespace {

/// "3" and "3.0".
std::optional<int64_t> number_in(std::string_view text) {
  if (text.starts_with('0')) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest = text.substr(static_cast<size_t>(end - text.data()));
  if (error != std::errc() || number < 1 || (!rest.empty() && rest != ".0")) return std::nullopt;
  return number;
}

bool is_dotted_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

/// nullopt: none has that text.
std::optional<int64_t> number_of(const ModelEntry& entry, std::string_view text) {
  if (const auto label = entry.labels.find(text); label != entry.labels.end()) return label->second;
  return number_in(text);
}

/// The model, or the version of it (0: every one), is known and nobody wants it: it has not failed, loads for nobody,
/// and to TorchServe is not there.
bool is_unregistered(const Catalog& catalog, const std::string& model, int64_t version) {
  const auto entry = catalog.table()->share(model);
  if (!entry || entry->on_demand) return false;
  return std::all_of(entry->statuses.begin(), entry->statuses.end(), [&](const VersionStatus& status) {
    const bool is_meant = version == 0 || status.version == version;
    const bool failed = !status.reason.empty() && status.reason != "unloaded";
    return !is_meant || (status.state == VersionState::kUnavailable && !failed);
  });
}

}  // namespace

Result<int64_t> version_of_text(const Catalog& catalog, const std::string& model, std::string_view version) {
  const auto entry = catalog.table()->share(model);
  if (!entry) return model_not_found(model);
  const auto number = number_of(*entry, version);
  const bool known = number && std::any_of(entry->statuses.begin(), entry->statuses.end(),
                                           [&](const VersionStatus& status) { return status.version == *number; });
  if (!known) return version_not_found(model, version);
  return *number;
}

Result<VersionPin> pin_model(const Catalog& catalog, const std::string& model, std::string_view version) {
  int64_t number = 0;
  if (!version.empty()) {
    MM_ASSIGN_OR_RETURN(number, version_of_text(catalog, model, version));
  }
  Result<VersionPin> pin = catalog.pin(model, number);
  if (pin.ok() || (pin.status().code() != Code::kNotFound && !is_unregistered(catalog, model, number))) return pin;
  return version.empty() ? model_not_found(model) : version_not_found(model, version);
}

Result<VersionPin> pin_model(const Catalog& catalog, const std::string& model, std::string_view version,
                             const RoutedRequestPtr& routed) {
  const auto pin_worker = [&](const std::string& name, std::string_view text) -> Result<VersionPin> {
    Result<VersionPin> pin = pin_model(catalog, name, text);
    if (pin.ok() && (*pin)->suspended()) return no_worker(model, version);
    return pin;
  };
  if (!routed) return pin_worker(model, version);
  return pin_along(*routed, catalog,
                   [&](const RouteTarget& target) { return pin_worker(target.model, target.version_text()); });
}

std::string version_text(const ModelEntry& entry, int64_t version) {
  for (const auto& [label, number] : entry.labels)
    if (number == version && is_dotted_number(label)) return label;
  return std::to_string(version);
}

}  // namespace modelmill::torchserve
