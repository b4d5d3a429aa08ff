#include "model/model_layer.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/config_check.h"
#include "model/config_notes.h"
#include "model/ensemble_check.h"
#include "model/layer_extras.h"
#include "model/pipeline_check.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

using inference::ModelConfig;

std::string first_step(std::string_view path) { return std::string(path.substr(0, path.find_first_of(".["))); }

/// The fields that `layer` speaks of, in place of what `config` has there; those by names are laid over each other.
void put_fields(const ModelLayer& layer, ModelConfig& config) {
  const auto* reflection = ModelConfig::GetReflection();
  const auto* type = ModelConfig::descriptor();
  ModelConfig said = layer.config;
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (!layer.fields.contains(field->name()))
      reflection->ClearField(&said, field);
    else if (!field->is_map())
      reflection->ClearField(&config, field);
  }
  config.MergeFrom(said);
}

void put_extras(const ModelLayer& layer, ModelDefinition& definition) {
  if (layer.labels) definition.labels = *layer.labels;
  if (layer.default_version) definition.default_version = layer.default_version;
  if (layer.swap) definition.swap = *layer.swap;
  if (layer.allow_breaking) definition.allow_breaking = *layer.allow_breaking;
  if (layer.pinned) definition.pinned = *layer.pinned;
  if (layer.instance_range) definition.instance_range = *layer.instance_range;
  if (layer.instance_threads) definition.instance_threads = *layer.instance_threads;
  if (layer.objective_p99) definition.batching.objective_p99 = *layer.objective_p99;
  if (layer.allowed_sizes) definition.batching.allowed_sizes = *layer.allowed_sizes;
  if (layer.request_logs) definition.request_logs = *layer.request_logs;
  if (layer.combination) {
    definition.ensemble = EnsembleDefinition{{}, layer.combination, 0};
    definition.platform = kEnsemblePlatform;
  }
  if (layer.pipeline) {
    definition.ensemble = EnsembleDefinition{*layer.pipeline, std::nullopt, 0};
    definition.platform = kEnsemblePlatform;
  }
}

/// What has no meaning for a model that is made of others.
void check_ensemble_extras(const ModelDefinition& definition, std::vector<ConfigIssue>& issues) {
  const InstanceRange& range = definition.instance_range;
  const BatchingDefinition& batching = definition.batching;
  const bool combined = definition.ensemble->combination.has_value();
  const std::string what = "ensemble '" + definition.name + "': ";
  const auto refuse = [&](bool said, const char* field, const char* message) {
    if (said) issues.push_back({Code::kInvalidArgument, field, what + message});
  };
  const bool counted = range.min || range.max || range.zero_after.count() > 0 || !definition.instance_groups.empty() ||
                       definition.instance_threads != 0;
  refuse(counted, "instance_range", "it has no instances; set them for its members");
  refuse(batching.objective_p99.count() > 0, "objective_p99", "its members make the batches; set objectives for them");
  refuse(!batching.allowed_sizes.empty(), "allowed_sizes", "its members make the batches; set allowed_sizes for them");
  refuse(!definition.default_model_filename.empty(), "default_model_filename", "it has no file; remove the key");
  if (definition.ensemble->has_conditions()) {
    refuse(!definition.backend.empty(), "backend", "no backend runs it; remove the key");
    for (ConfigIssue& issue : check_pipeline(definition)) issues.push_back(std::move(issue));
  }
  if (!combined) return;
  refuse(!definition.backend.empty(), "backend", "no backend runs it; remove the key");
  refuse(!definition.inputs.empty(), "input", "its inputs are those of its members; remove the key");
  refuse(!definition.outputs.empty(), "output", "its outputs are those of its members; name them in ensemble.outputs");
  refuse(definition.max_batch_size.has_value(), "max_batch_size", "its members make the batches; remove the key");
  for (ConfigIssue& issue : check_combination(definition.name, *definition.ensemble->combination))
    issues.push_back(std::move(issue));
}

/// Rules between what Triton's configuration has no field for.
std::vector<ConfigIssue> check_extras(const ModelDefinition& definition) {
  std::vector<ConfigIssue> issues;
  if (definition.ensemble) check_ensemble_extras(definition, issues);
  const auto add = [&](const char* field, std::string message) {
    issues.push_back({Code::kInvalidArgument, field, std::move(message)});
  };
  const InstanceRange& range = definition.instance_range;
  if (range.min && range.max && *range.min > *range.max)
    add("instance_range", "the least number of instances, " + std::to_string(*range.min) + ", is above the most, " +
                              std::to_string(*range.max));
  const std::vector<int64_t>& allowed = definition.batching.allowed_sizes;
  if (!std::is_sorted(allowed.begin(), allowed.end()) ||
      std::adjacent_find(allowed.begin(), allowed.end()) != allowed.end())
    add("allowed_sizes", "the allowed sizes of batches must ascend");
  else if (!allowed.empty() && allowed.back() != definition.max_batch_size.value_or(0))
    add("allowed_sizes", "the last of the allowed sizes of batches is " + std::to_string(allowed.back()) +
                             ", but must be the largest size of a batch, " +
                             std::to_string(definition.max_batch_size.value_or(0)));
  return issues;
}

/// With the place where the topmost layer that speaks of the field says it.
ConfigProblem placed(const ConfigIssue& issue, std::span<const ModelLayer> layers) {
  const std::string field = first_step(issue.field);
  const auto said = std::find_if(layers.rbegin(), layers.rend(),
                                 [&](const ModelLayer& layer) { return field.empty() || layer.says(field); });
  ConfigProblem problem{issue.code, {}, issue.message};
  if (said == layers.rend()) return problem;
  problem.place = said->place_of(issue.field);
  if (said->names_fields && !issue.field.empty()) problem.message = issue.field + ": " + issue.message;
  return problem;
}

}  // namespace

bool ModelLayer::says(std::string_view field) const {
  if (fields.contains(std::string(field))) return true;
  bool said = false;
  for_each_extra(*this,
                 [&](std::string_view name, const auto& member) { said |= name == field && member.has_value(); });
  return said;
}

ModelLayer text_layer(const std::string& field, const std::string& value, const std::string& place) {
  const auto* descriptor = ModelConfig::descriptor()->FindFieldByName(field);
  MM_CHECK(descriptor != nullptr, "text_layer() names a field of ModelConfig");
  ModelLayer layer;
  ModelConfig::GetReflection()->SetString(&layer.config, descriptor, value);
  layer.fields.insert(field);
  layer.place_of = [place](const std::string&) { return place; };
  return layer;
}

ModelLayer parameter_layer(const std::string& name, const std::string& value, const std::string& place) {
  ModelLayer layer;
  (*layer.config.mutable_parameters())[name].set_string_value(value);
  layer.fields.insert("parameters");
  layer.place_of = [place](const std::string&) { return place; };
  return layer;
}

LayeredDefinition lay_over(std::span<const ModelLayer> layers) {
  LayeredDefinition out;
  ModelConfig config;
  bool max_batch_size_given = false;
  for (const ModelLayer& layer : layers) {
    put_fields(layer, config);
    max_batch_size_given |= layer.fields.contains("max_batch_size");
  }
  std::vector<ConfigIssue> issues = check_triton_config(config, max_batch_size_given);
  out.definition = to_definition(config, max_batch_size_given);
  for (const ModelLayer& layer : layers) put_extras(layer, out.definition);
  if (issues.empty()) issues = check_extras(out.definition);
  for (const ConfigIssue& issue : issues) out.problems.push_back(placed(issue, layers));
  for (const ConfigIssue& note : fields_without_effect(config)) out.notes.push_back(placed(note, layers));
  return out;
}

std::string origin_of(std::span<const ModelLayer> layers, const std::string& field) {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
    if (layer->says(first_step(field))) return layer->place_of(field);
  return {};
}

}  // namespace modelmill
