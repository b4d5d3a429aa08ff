#include "model/triton_config.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "model/config_check.h"
#include "model/config_text.h"

namespace modelmill {
namespace {

using inference::ModelConfig;

struct Platform {
  std::string_view platform;
  std::string_view backend;
};

constexpr Platform kPlatforms[] = {
    {"onnxruntime_onnx", "onnxruntime"},
    {"tensorflow_savedmodel", "tensorflow"},
    {"tensorflow_graphdef", "tensorflow"},
    {"pytorch_libtorch", "pytorch"},
    {"torch_aoti", "pytorch"},
    {"tensorrt_plan", "tensorrt"},
};

template <typename Io>
ConfiguredTensor to_tensor(const Io& io) {
  ConfiguredTensor out;
  out.name = io.name();
  out.dtype = static_cast<DataType>(io.data_type());
  out.dims.assign(io.dims().begin(), io.dims().end());
  if (io.has_reshape()) out.reshape.emplace().assign(io.reshape().shape().begin(), io.reshape().shape().end());
  return out;
}

InstanceGroup to_group(const inference::ModelInstanceGroup& group) {
  InstanceGroup out;
  out.name = group.name();
  switch (group.kind()) {
    case inference::ModelInstanceGroup::KIND_GPU: out.kind = InstanceGroup::Kind::kGpu; break;
    case inference::ModelInstanceGroup::KIND_CPU: out.kind = InstanceGroup::Kind::kCpu; break;
    case inference::ModelInstanceGroup::KIND_MODEL: out.kind = InstanceGroup::Kind::kModel; break;
    default: out.kind = InstanceGroup::Kind::kAuto; break;
  }
  out.count = group.count();
  out.gpus.assign(group.gpus().begin(), group.gpus().end());
  for (const auto& resource : group.rate_limiter().resources())
    out.resources.push_back({resource.name(), resource.global(), resource.count()});
  out.resource_priority = group.rate_limiter().priority();
  return out;
}

VersionPolicy to_policy(const ModelConfig& config) {
  VersionPolicy out;
  const auto& policy = config.version_policy();
  if (policy.has_latest()) {
    out.latest = policy.latest().num_versions();
  } else if (policy.has_all()) {
    out.kind = VersionPolicy::Kind::kAll;
  } else if (policy.has_specific()) {
    out.kind = VersionPolicy::Kind::kSpecific;
    out.specific.assign(policy.specific().versions().begin(), policy.specific().versions().end());
    std::sort(out.specific.begin(), out.specific.end());
  }
  return out;
}

/// Times beyond this are as good as none, and further ones would overflow when they are added to a clock.
std::chrono::microseconds to_duration(uint64_t us) {
  constexpr uint64_t kYear = uint64_t{365} * 24 * 3600 * 1'000'000;
  return std::chrono::microseconds(static_cast<int64_t>(std::min(us, kYear)));
}

QueuePolicy to_queue_policy(const inference::ModelQueuePolicy& queue) {
  QueuePolicy out;
  out.timeout_action = queue.timeout_action() == inference::ModelQueuePolicy::DELAY
                           ? QueuePolicy::TimeoutAction::kDelay
                           : QueuePolicy::TimeoutAction::kReject;
  out.default_timeout = to_duration(queue.default_timeout_microseconds());
  out.allow_timeout_override = queue.allow_timeout_override();
  out.max_queue_size = queue.max_queue_size();
  return out;
}

BatchingDefinition to_batching(const ModelConfig& config, bool max_batch_size_given) {
  BatchingDefinition out;
  out.max_batch_size = config.max_batch_size();
  if (max_batch_size_given && config.max_batch_size() == 0) out.mode = BatchingDefinition::Mode::kDisabled;
  if (!config.has_dynamic_batching()) return out;
  const auto& batching = config.dynamic_batching();
  if (out.mode == BatchingDefinition::Mode::kAuto) out.mode = BatchingDefinition::Mode::kDynamic;
  out.preferred_sizes.assign(batching.preferred_batch_size().begin(), batching.preferred_batch_size().end());
  std::sort(out.preferred_sizes.begin(), out.preferred_sizes.end());
  out.max_queue_delay = to_duration(batching.max_queue_delay_microseconds());
  out.preserve_ordering = batching.preserve_ordering();
  out.queue = to_queue_policy(batching.default_queue_policy());
  out.priority_levels = batching.priority_levels();
  out.default_priority_level = batching.default_priority_level();
  // As in Triton: without levels the policies of levels are nobody's.
  if (out.priority_levels > 0)
    for (const auto& [level, policy] : batching.priority_queue_policy())
      out.queue_by_level[level] = to_queue_policy(policy);
  return out;
}

std::optional<EnsembleDefinition> to_ensemble(const ModelConfig& config) {
  if (config.platform() != kEnsemblePlatform) return std::nullopt;
  EnsembleDefinition out;
  out.most_under_way = config.ensemble_scheduling().max_inflight_requests();
  for (const auto& step : config.ensemble_scheduling().step()) {
    EnsembleStep& to = out.steps.emplace_back();
    to.model = step.model_name();
    to.version = std::max<int64_t>(step.model_version(), 0);
    to.inputs = {step.input_map().begin(), step.input_map().end()};
    to.outputs = {step.output_map().begin(), step.output_map().end()};
  }
  return out;
}

std::optional<ModelLayer> layer_of(std::optional<ConfigText> parsed) {
  if (!parsed) return std::nullopt;
  ModelLayer layer;
  layer.config = parsed->config();
  const auto* type = ModelConfig::descriptor();
  for (int i = 0; i < type->field_count(); ++i)
    if (parsed->has(type->field(i)->name())) layer.fields.insert(type->field(i)->name());
  if (layer.config.name().empty()) layer.fields.erase("name");  // the folder's is meant
  layer.names_fields = true;
  layer.place_of = [text = std::make_shared<const ConfigText>(*std::move(parsed))](const std::string& field) {
    return text->place_of(field);
  };
  return layer;
}

}  // namespace

ModelDefinition to_definition(const ModelConfig& config, bool max_batch_size_given) {
  ModelDefinition out;
  out.name = config.name();
  out.platform = config.platform();
  out.backend = config.backend().empty() ? backend_of_platform(config.platform()) : config.backend();
  out.default_model_filename = config.default_model_filename();
  if (max_batch_size_given) out.max_batch_size = config.max_batch_size();
  for (const auto& io : config.input()) {
    out.inputs.push_back(to_tensor(io));
    out.inputs.back().optional = io.optional();
    out.inputs.back().allow_ragged = io.allow_ragged_batch();
  }
  for (const auto& io : config.output()) {
    out.outputs.push_back(to_tensor(io));
    out.outputs.back().label_filename = io.label_filename();
  }
  for (const auto& group : config.instance_group()) out.instance_groups.push_back(to_group(group));
  out.batching = to_batching(config, max_batch_size_given);
  out.version_policy = to_policy(config);
  out.decoupled_given = config.has_model_transaction_policy();
  out.decoupled = config.model_transaction_policy().decoupled();
  out.response_cache = config.response_cache().enable();
  for (const auto& [key, value] : config.parameters()) out.parameters[key] = value.string_value();
  for (const auto& [key, value] : config.metric_tags()) out.metric_tags[key] = value;
  for (const auto& control : config.model_metrics().metric_control())
    if (control.metric_identifier().family() == kFirstResponseFamily)
      out.first_response_bounds_ms.assign(control.histogram_options().buckets().begin(),
                                          control.histogram_options().buckets().end());
  out.ensemble = to_ensemble(config);
  out.triton_config = config.SerializeAsString();
  return out;
}

std::string backend_of_platform(std::string_view platform) {
  for (const Platform& row : kPlatforms)
    if (row.platform == platform) return std::string(row.backend);
  return {};
}

std::string platform_of_backend(std::string_view backend) {
  for (const Platform& row : kPlatforms)
    if (row.backend == backend) return std::string(row.platform);
  return {};
}

Status check_model_name(std::string_view name) {
  constexpr size_t kLongest = 255;
  const std::string what = "model name '" + std::string(name.substr(0, kLongest)) + "' ";
  if (name.empty()) return invalid_argument("a model's name must not be empty");
  if (name.size() > kLongest)
    return invalid_argument(what + "... is longer than " + std::to_string(kLongest) + " bytes");
  if (name == "." || name == "..")
    return invalid_argument(what + "is a folder's link to itself or its parent; rename it");
  for (const char c : name) {
    if (c == '/' || c == '\\') return invalid_argument(what + "must not contain '" + c + "'");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return invalid_argument("a model's name contains a control character; rename it");
  }
  return ok_status();
}

Result<ModelDefinition> definition_from_triton_config(const ModelConfig& config, bool max_batch_size_given) {
  const std::vector<ConfigIssue> issues = check_triton_config(config, max_batch_size_given);
  if (!issues.empty())
    return Status(issues[0].code, (issues[0].field.empty() ? "" : issues[0].field + ": ") + issues[0].message);
  return to_definition(config, max_batch_size_given);
}

std::optional<ModelLayer> triton_layer(std::string_view text, const std::string& file,
                                       std::vector<ConfigProblem>& problems) {
  return layer_of(ConfigText::parse(text, file, problems));
}

std::optional<ModelLayer> known_triton_fields(std::string_view text, const std::string& file) {
  return layer_of(ConfigText::parse_known(text, file));
}

Result<ModelDefinition> parse_triton_config(std::string_view text, const std::string& file) {
  std::vector<ConfigProblem> problems;
  const std::optional<ModelLayer> layer = triton_layer(text, file, problems);
  if (!layer) return status_of(problems.front());
  LayeredDefinition laid = lay_over(std::span(&*layer, 1));
  if (!laid.problems.empty()) return status_of(laid.problems.front());
  return std::move(laid.definition);
}

}  // namespace modelmill
