#include "cli/migrate/leftover_config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "model/triton_config.h"

namespace modelmill {
namespace {

using inference::ModelConfig;

/// What modelmill.yaml has keys for, as far as what they are set to allows.
constexpr std::array<std::string_view, 16> kWithKey = {
    "name",           "platform",    "backend",      "default_model_filename", "version_policy",
    "max_batch_size", "input",       "output",       "instance_group",         "dynamic_batching",
    "parameters",     "metric_tags", "model_warmup", "ensemble_scheduling",    "model_transaction_policy",
    "response_cache"};
/// What means nothing here, as the notes say; of metrics only some.
constexpr std::string_view kFileOfGpu = "cc_model_filenames", kMetrics = "model_metrics";

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool has_key(const inference::ModelInstanceGroup& group) {
  return group.name().empty() && group.kind() != inference::ModelInstanceGroup::KIND_MODEL && !group.passive() &&
         group.secondary_devices_size() == 0 && group.profile_size() == 0 && !group.has_rate_limiter();
}

bool instances_have_key(const ModelConfig& config) {
  return config.instance_group_size() == 0 || (config.instance_group_size() == 1 && has_key(config.instance_group(0)));
}

bool inputs_have_key(const ModelConfig& config) {
  return std::none_of(config.input().begin(), config.input().end(), [](const inference::ModelInput& input) {
    return input.format() != inference::ModelInput::FORMAT_NONE || input.is_shape_tensor() ||
           input.is_non_linear_format_io();
  });
}

bool outputs_have_key(const ModelConfig& config) {
  return std::none_of(config.output().begin(), config.output().end(), [](const inference::ModelOutput& output) {
    return output.is_shape_tensor() || output.is_non_linear_format_io();
  });
}

bool metrics_count(const ModelConfig& config) {
  const auto& controls = config.model_metrics().metric_control();
  return std::any_of(controls.begin(), controls.end(), [](const inference::ModelMetrics::MetricControl& control) {
    return control.metric_identifier().family() == kFirstResponseFamily;
  });
}

}  // namespace

std::set<std::string> fields_without_key(const ModelConfig& config) {
  std::set<std::string> out;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  ModelConfig::GetReflection()->ListFields(config, &fields);
  for (const auto* field : fields)
    if (!contains(kWithKey, field->name()) && field->name() != kFileOfGpu) out.insert(field->name());
  if (!metrics_count(config)) out.erase(std::string(kMetrics));
  if (!instances_have_key(config)) out.insert("instance_group");
  if (!inputs_have_key(config)) out.insert("input");
  if (!outputs_have_key(config)) out.insert("output");
  return out;
}

std::string leftover_config(const ModelConfig& config, const std::set<std::string>& fields) {
  if (fields.empty()) return {};
  ModelConfig kept = config;
  const auto* type = ModelConfig::descriptor();
  for (int i = 0; i < type->field_count(); ++i)
    if (!fields.contains(type->field(i)->name())) ModelConfig::GetReflection()->ClearField(&kept, type->field(i));
  for (auto& group : *kept.mutable_instance_group()) {
    group.clear_host_policy();
  }
  std::string text;
  google::protobuf::TextFormat::PrintToString(kept, &text);
  return text;
}

}  // namespace modelmill
