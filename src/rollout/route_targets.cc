#include "rollout/route_targets.h"

#include <algorithm>
#include <string>
#include <vector>

#include "model/output_comparison.h"
#include "model/spelling.h"

namespace modelmill {
namespace {

Status unknown_model(const std::string& model, const ModelTable& models) {
  std::vector<std::string> names;
  for (const ModelEntry* entry : models.entries()) names.push_back(entry->name);
  const std::string meant = nearest(model, names);
  return invalid_argument("there is no model named '" + model + "'" +
                          (meant.empty() ? "; a route leads to models that are served, not to other routes"
                                         : "; did you mean '" + meant + "'?"));
}

std::string versions_of(const ModelEntry& entry) {
  std::string all;
  for (const VersionStatus& status : entry.statuses) all += (all.empty() ? "" : ", ") + std::to_string(status.version);
  return all.empty() ? "none" : all;
}

std::string labels_of(const ModelEntry& entry) {
  std::string all;
  for (const auto& [label, version] : entry.labels) all += (all.empty() ? "" : ", ") + label;
  return all.empty() ? "none" : all;
}

Status check_target(const RouteTarget& target, const ModelTable& models) {
  const ModelEntry* entry = models.find(target.model);
  if (entry == nullptr) return unknown_model(target.model, models);
  if (!target.label.empty() && !entry->labels.contains(target.label))
    return invalid_argument("model '" + target.model + "' has no version labelled '" + target.label +
                            "'; its labels: " + labels_of(*entry));
  // Of a model that loads on demand nothing is known before it has.
  if (target.version == 0 || entry->on_demand) return ok_status();
  const bool known = std::any_of(entry->statuses.begin(), entry->statuses.end(),
                                 [&](const VersionStatus& status) { return status.version == target.version; });
  if (known) return ok_status();
  return invalid_argument("model '" + target.model + "' has no version " + std::to_string(target.version) +
                          "; its versions: " + versions_of(*entry));
}

/// Whether the model that a shadow's answers are compared by compares answers at all; one that is not loaded may.
Status check_function(const RouteShadow& shadow, const ModelTable& models) {
  const std::string name = function_of(shadow.compare);
  if (name.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const RouteTarget target, parse_route_target(name));
  MM_RETURN_IF_ERROR(check_target(target, models));
  const ModelEntry* entry = models.find(target.model);
  const auto label = entry->labels.find(target.label);
  const auto* const served = entry->find(label == entry->labels.end() ? target.version : label->second);
  if (served == nullptr) return ok_status();
  const auto& inputs = (*served)->signature().inputs;
  if (inputs.size() == 1 && inputs[0].name == kComparisonInput) return ok_status();
  return invalid_argument("model '" + target.model +
                          "' compares no answers; a Python file whose function is marked with @modelmill.comparison "
                          "is a model that does");
}

}  // namespace

Status check_targets(const RouteDefinition& route, const ModelTable& models) {
  for (const RouteTarget& target : targets_of(route))
    MM_RETURN_IF_ERROR(check_target(target, models).with_context("route '" + route.name + "'"));
  for (const RouteShadow& shadow : route.shadows) {
    MM_RETURN_IF_ERROR(check_target(shadow.to, models).with_context("route '" + route.name + "': shadow"));
    MM_RETURN_IF_ERROR(check_function(shadow, models).with_context("route '" + route.name + "': shadow: compare"));
  }
  return ok_status();
}

}  // namespace modelmill
