#include "rollout/route_targets.h"

#include <algorithm>
#include <string>
#include <vector>

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

}  // namespace

Status check_targets(const RouteDefinition& route, const ModelTable& models) {
  for (const RouteTarget& target : targets_of(route))
    MM_RETURN_IF_ERROR(check_target(target, models).with_context("route '" + route.name + "'"));
  for (const RouteShadow& shadow : route.shadows)
    MM_RETURN_IF_ERROR(check_target(shadow.to, models).with_context("route '" + route.name + "': shadow"));
  return ok_status();
}

}  // namespace modelmill
