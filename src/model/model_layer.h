#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_problem.h"
#include "model/definition.h"
#include "model_config.pb.h"

namespace modelmill {

/// What one source (a file, or a layout of files) says of a model; what it doesn't say is left to the layers below it.
/// A value.
struct ModelLayer {
  /// What Triton's configuration has a field for.
  inference::ModelConfig config;
  /// The fields of `config` that the source speaks of, by name; each replaces the whole field of lower layers, except
  /// that of `parameters` and `metric_tags` each name counts by itself.
  std::set<std::string> fields;

  // What Triton's configuration has no field for.
  std::optional<VersionLabels> labels;
  std::optional<int64_t> default_version;
  std::optional<SwapPolicy> swap;
  std::optional<bool> allow_breaking;
  std::optional<bool> pinned;
  std::optional<InstanceRange> instance_range;
  std::optional<int> instance_threads;
  std::optional<std::chrono::microseconds> objective_p99;
  std::optional<std::vector<int64_t>> allowed_sizes;
  std::optional<std::vector<RequestLogging>> request_logs;
  std::optional<CombinationDefinition> combination;
  std::optional<std::vector<EnsembleStep>> pipeline;  // steps that have conditions

  /// Where the source says a field: "file:line:column" for a path such as "input[1].dims" or the name of a member
  /// above.
  std::function<std::string(const std::string& field)> place_of;
  /// Errors name the field of `config` beside its place, because the source names it so.
  bool names_fields = false;

  bool says(std::string_view field) const;
};

/// A layer that says one text: `field` is "name", "backend", "platform" or "default_model_filename".
ModelLayer text_layer(const std::string& field, const std::string& value, const std::string& place);

/// A layer that says one of the free-form parameters.
ModelLayer parameter_layer(const std::string& name, const std::string& value, const std::string& place);

/// A model's layers taken together.
struct LayeredDefinition {
  ModelDefinition definition;
  /// What is wrong with them; the definition is whole only when there is nothing.
  std::vector<ConfigProblem> problems;
  /// What they say to no effect.
  std::vector<ConfigProblem> notes;
};

/// Lays the layers over each other, the lowest first, and holds the result against the rules. Pure.
LayeredDefinition lay_over(std::span<const ModelLayer> layers);

/// Where the topmost layer that speaks of a field says it; empty when none does.
std::string origin_of(std::span<const ModelLayer> layers, const std::string& field);

}  // namespace modelmill
