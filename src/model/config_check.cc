#include "model/config_check.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "model/cache_rule.h"
#include "model/ensemble_check.h"
#include "tensor/shape.h"

namespace modelmill {
namespace {

using inference::ModelConfig;
using Issue = std::optional<ConfigIssue>;

struct Issues {
  void add(Issue issue) {
    if (issue) found.push_back(*std::move(issue));
  }
  std::vector<ConfigIssue> found;
};

Issue invalid(std::string field, std::string message) {
  return ConfigIssue{Code::kInvalidArgument, std::move(field), std::move(message)};
}

/// A feature of Triton's that this server does not have; `remedy` is what the user can do about it.
Issue unsupported(std::string field, const std::string& what, const std::string& remedy) {
  return ConfigIssue{Code::kUnimplemented, std::move(field), what + " is not supported; " + remedy};
}

std::string indexed(const char* field, int i) { return std::string(field) + '[' + std::to_string(i) + ']'; }

/// Element counts of the runs between the dimensions of any size: [2,4,-1,6] has {8, 6}.
std::vector<int64_t> run_counts(const google::protobuf::RepeatedField<int64_t>& shape, bool& overflow) {
  std::vector<int64_t> counts{1};
  for (const int64_t d : shape) {
    if (d == -1)
      counts.push_back(1);
    else if (__builtin_mul_overflow(counts.back(), d, &counts.back()))
      overflow = true;
  }
  return counts;
}

Issue check_dims(const google::protobuf::RepeatedField<int64_t>& dims, const std::string& field,
                 const std::string& what) {
  if (dims.size() > static_cast<int>(kMaxRank) - 1)
    return invalid(field, what + "has " + std::to_string(dims.size()) + " dimensions, at most " +
                              std::to_string(kMaxRank - 1) + " are served");
  for (const int64_t d : dims)
    if (d < 1 && d != -1)
      return invalid(field, what + "dimension must be integer >= 1, or -1 to indicate a variable-size dimension, not " +
                                std::to_string(d));
  return std::nullopt;
}

template <typename Io>
Issue check_reshape(const Io& io, const std::string& field, const std::string& what, bool batched) {
  const auto& shape = io.reshape().shape();
  if (shape.empty() && !batched && io.dims_size() != 1)
    return invalid(field, what + "has an empty reshape, which stands for a scalar, so 'dims' must be [ 1 ]");
  if (auto issue = check_dims(shape, field, what + "reshape ")) return issue;
  bool overflow = false;
  const std::vector<int64_t> outer = run_counts(io.dims(), overflow);
  const std::vector<int64_t> inner = run_counts(shape, overflow);
  if (overflow) return invalid(field, what + "has more elements than 2^63 in dims or reshape");
  if (outer.size() != inner.size())
    return invalid(field, what + "has different number of variable-size dimensions for dims and reshape");
  if (outer != inner) return invalid(field, what + "has different size for dims and reshape");
  return std::nullopt;
}

template <typename Io>
Issue check_tensor(const Io& io, const std::string& field, const std::string& kind, bool batched) {
  if (io.name().empty()) return invalid(field, kind + " must specify 'name'");
  const std::string what = kind + " '" + io.name() + "' ";
  if (io.data_type() == inference::TYPE_INVALID)
    return invalid(field, what + "must specify 'data_type', such as TYPE_FP32");
  if (!inference::DataType_IsValid(io.data_type()))
    return invalid(field + ".data_type", what + "has the unknown data_type " + std::to_string(io.data_type()));
  if (io.dims_size() == 0) return invalid(field, what + "must specify 'dims'");
  if (auto issue = check_dims(io.dims(), field + ".dims", what)) return issue;
  if (io.has_reshape())
    if (auto issue = check_reshape(io, field + ".reshape", what, batched)) return issue;
  if (io.is_shape_tensor())
    return invalid(field + ".is_shape_tensor",
                   "shape tensors are only supported for TensorRT platform; remove the field");
  if (io.is_non_linear_format_io())
    return invalid(field + ".is_non_linear_format_io",
                   "Non-linear IO format is only supported for the TensorRT platform; remove the field");
  return std::nullopt;
}

void check_tensors(const ModelConfig& config, bool batched, Issues& issues) {
  std::set<std::string> names;
  for (int i = 0; i < config.input_size(); ++i) {
    const auto& io = config.input(i);
    const std::string field = indexed("input", i);
    issues.add(check_tensor(io, field, "model input", batched));
    if (io.format() != inference::ModelInput::FORMAT_NONE && io.dims_size() != 3)
      issues.add(invalid(field + ".format", "model input '" + io.name() + "': NHWC/NCHW require 3 dims"));
    if (!names.insert(io.name()).second)
      issues.add(invalid(field, "there are two inputs named '" + io.name() + "'; rename one"));
  }
  names.clear();
  for (int i = 0; i < config.output_size(); ++i) {
    const std::string field = indexed("output", i);
    issues.add(check_tensor(config.output(i), field, "model output", batched));
    if (!names.insert(config.output(i).name()).second)
      issues.add(invalid(field, "there are two outputs named '" + config.output(i).name() + "'; rename one"));
  }
}

Issue check_priorities(const inference::ModelDynamicBatching& batching, const std::string& model) {
  const uint64_t levels = batching.priority_levels();
  if (levels == 0) return std::nullopt;
  const std::string range = "in range [1, " + std::to_string(levels) + "] for " + model;
  if (batching.default_priority_level() == 0 || batching.default_priority_level() > levels)
    return invalid(batching.default_priority_level() == 0 ? "dynamic_batching.priority_levels"
                                                          : "dynamic_batching.default_priority_level",
                   "default priority level must be " + range);
  for (const auto& [level, policy] : batching.priority_queue_policy())
    if (level == 0 || level > levels)
      return invalid("dynamic_batching.priority_queue_policy",
                     "priority queue policy must have priority level " + range);
  return std::nullopt;
}

/// Priorities and delays change the order in which requests run.
Issue check_ordering(const inference::ModelDynamicBatching& batching, const std::string& model) {
  if (!batching.preserve_ordering()) return std::nullopt;
  if (batching.priority_levels() > 1)
    return invalid("dynamic_batching.priority_levels",
                   "Only one priority level is allowed when 'preserve_ordering' is true for " + model);
  const auto delays = [](const inference::ModelQueuePolicy& policy) {
    return policy.default_timeout_microseconds() != 0 && policy.timeout_action() == inference::ModelQueuePolicy::DELAY;
  };
  const std::string message =
      "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for " + model;
  if (delays(batching.default_queue_policy())) return invalid("dynamic_batching.default_queue_policy", message);
  for (const auto& [level, policy] : batching.priority_queue_policy())
    if (delays(policy)) return invalid("dynamic_batching.priority_queue_policy", message);
  return std::nullopt;
}

void check_dynamic_batching(const ModelConfig& config, bool max_batch_size_given, Issues& issues) {
  const auto& batching = config.dynamic_batching();
  for (const int32_t size : batching.preferred_batch_size()) {
    if (size <= 0)
      issues.add(invalid("dynamic_batching.preferred_batch_size",
                         "dynamic batching preferred size must be positive for " + config.name()));
    else if (max_batch_size_given && size > config.max_batch_size())
      issues.add(invalid("dynamic_batching.preferred_batch_size",
                         "dynamic batching preferred size must be <= max batch size for " + config.name()));
  }
  issues.add(check_priorities(batching, config.name()));
  issues.add(check_ordering(batching, config.name()));
}

Issue check_instance_group(const inference::ModelInstanceGroup& group, const std::string& field,
                           const std::string& model) {
  const std::string what = "instance group " + (group.name().empty() ? field : group.name()) + " of model " + model;
  using Group = inference::ModelInstanceGroup;
  if (group.count() < 0)
    return invalid(field + ".count", what + " has a negative count; give at least 1, or 0 to have it chosen");
  if (group.kind() == Group::KIND_MODEL && group.gpus_size() > 0)
    return invalid(field + ".gpus", what + " has kind KIND_MODEL but specifies one or more GPUs; remove 'gpus'");
  if (group.kind() == Group::KIND_CPU && group.gpus_size() > 0)
    return invalid(field + ".gpus", what + " has kind KIND_CPU but specifies one or more GPUs; remove 'gpus'");
  if (group.profile_size() > 0)
    return invalid(field + ".profile",
                   what + " specifies profile field which is only supported for TensorRT models; remove it");
  if (group.secondary_devices_size() > 0)
    return unsupported(field + ".secondary_devices", "a secondary device", "remove the field");
  if (group.passive())
    return unsupported(field + ".passive", "a passive instance group", "remove the group, it would serve nothing");
  return std::nullopt;
}

Issue check_warmup(const inference::ModelWarmup& warmup, const std::string& field) {
  const std::string what = "warmup sample '" + warmup.name() + "' ";
  for (const auto& [name, input] : warmup.inputs()) {
    const std::string where = what + "input '" + name + "' ";
    if (input.data_type() == inference::TYPE_INVALID) return invalid(field, where + "must specify 'data_type'");
    if (input.input_data_type_case() == inference::ModelWarmup::Input::INPUT_DATA_TYPE_NOT_SET)
      return invalid(field, where + "must set one of zero_data, random_data or input_data_file");
    for (const int64_t d : input.dims())
      if (d < 0) return invalid(field, where + "must give every size in 'dims', -1 can't be made into data");
  }
  return std::nullopt;
}

/// Features that change what a model answers, so that ignoring them would be wrong.
void check_unsupported(const ModelConfig& config, Issues& issues) {
  if (config.has_sequence_batching())
    issues.add(unsupported("sequence_batching", "keeping the state of sequences",
                           "remove the field and let the client pass the state as inputs and outputs"));
  if (config.batch_input_size() > 0)
    issues.add(unsupported("batch_input[0]", "feeding facts about a batch to the model",
                           "remove batch_input and set max_batch_size: 0"));
  if (config.batch_output_size() > 0)
    issues.add(unsupported("batch_output[0]", "cutting outputs by facts about a batch",
                           "remove batch_output and set max_batch_size: 0"));
  if (config.model_operations().op_library_filename_size() > 0)
    issues.add(unsupported("model_operations", "loading a library of custom operations",
                           "remove the field and export the model with standard operators"));
  if (config.model_repository_agents().agents_size() > 0)
    issues.add(unsupported("model_repository_agents", "running an agent on a model's files",
                           "remove the field and prepare the files beforehand"));
  if (!config.runtime().empty() && config.runtime() != "libtriton_" + config.backend() + ".so")
    issues.add(unsupported("runtime", "naming a backend's library",
                           "name the backend in 'backend' and put its plugin into the model's folder"));
}

Issue check_version_policy(const ModelConfig& config) {
  const auto& policy = config.version_policy();
  if (policy.has_latest() && policy.latest().num_versions() == 0)
    return invalid("version_policy.latest", "version_policy latest needs num_versions of 1 or more");
  if (policy.has_specific()) {
    if (policy.specific().versions_size() == 0)
      return invalid("version_policy.specific", "version_policy specific needs at least one of 'versions'");
    for (const int64_t v : policy.specific().versions())
      if (v < 0)
        return invalid("version_policy.specific",
                       "version " + std::to_string(v) + " can't exist, versions are not negative");
  }
  return std::nullopt;
}

Issue check_metrics(const ModelConfig& config) {
  for (int i = 0; i < config.model_metrics().metric_control_size(); ++i) {
    const auto& control = config.model_metrics().metric_control(i);
    const std::string field = indexed("model_metrics.metric_control", i);
    if (control.metric_identifier().family().empty())
      return invalid(field, "metric identifier must specify non-empty 'family'");
    if (control.histogram_options().buckets_size() == 0)
      return invalid(field, "histogram options must specify non-empty 'buckets'");
    const auto& buckets = control.histogram_options().buckets();
    if (std::adjacent_find(buckets.begin(), buckets.end(), std::greater_equal<>()) != buckets.end())
      return invalid(field, "the 'buckets' of '" + control.metric_identifier().family() +
                                "' must ascend, each above the one before");
  }
  return std::nullopt;
}

}  // namespace

std::vector<ConfigIssue> check_triton_config(const ModelConfig& config, bool max_batch_size_given) {
  Issues issues;
  check_unsupported(config, issues);
  if (const CacheObstacles obstacles{.decoupled = config.model_transaction_policy().decoupled()};
      config.response_cache().enable() && obstacles.decoupled)
    issues.add(invalid("response_cache", cache_problem(config.name(), obstacles)));
  if (config.max_batch_size() < 0)
    issues.add(invalid("max_batch_size", "'max_batch_size' must be non-negative value for " + config.name()));
  issues.add(check_version_policy(config));
  check_tensors(config, config.max_batch_size() > 0, issues);
  if (config.has_dynamic_batching()) check_dynamic_batching(config, max_batch_size_given, issues);
  for (int i = 0; i < config.instance_group_size(); ++i)
    issues.add(check_instance_group(config.instance_group(i), indexed("instance_group", i), config.name()));
  for (int i = 0; i < config.model_warmup_size(); ++i)
    issues.add(check_warmup(config.model_warmup(i), indexed("model_warmup", i)));
  issues.add(check_metrics(config));
  for (ConfigIssue& issue : check_ensemble(config)) issues.add(std::move(issue));
  return std::move(issues.found);
}

}  // namespace modelmill
