#include "model/tf_serving_config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "model/config_check.h"
#include "model/text_proto.h"
#include "model/triton_config.h"
#include "tf_serving_config.pb.h"

namespace modelmill {
namespace {

using google::protobuf::TextFormat;

constexpr int64_t kMostOfField = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostBatchThreads = 1'024;
constexpr const char* kFileCollector = "tfrecord";
constexpr int64_t kDefaultMaxBatch = 1'000;  // TensorFlow Serving's own

/// Where field `name` of the message at `tree` was written; `otherwise` when it was not.
std::string place_in(const TextFormat::ParseInfoTree* tree, const google::protobuf::Descriptor& type, const char* name,
                     const std::string& file, const std::string& otherwise) {
  const auto* field = type.FindFieldByName(name);
  if (tree == nullptr || field == nullptr) return otherwise;
  const auto location = tree->GetLocation(field, field->is_repeated() ? 0 : -1);
  return location.line < 0 ? otherwise : text_place(file, location.line, location.column);
}

void put_policy(const tf_serving::VersionPolicy& policy, ModelLayer& layer) {
  if (policy.policy_choice_case() == tf_serving::VersionPolicy::POLICY_CHOICE_NOT_SET) return;
  auto* to = layer.config.mutable_version_policy();
  layer.fields.insert("version_policy");
  switch (policy.policy_choice_case()) {
    case tf_serving::VersionPolicy::kAll: to->mutable_all(); break;
    case tf_serving::VersionPolicy::kSpecific:
      for (const int64_t version : policy.specific().versions()) to->mutable_specific()->add_versions(version);
      break;
    default:  // As TensorFlow Serving has it, 0 is the one that is the default.
      to->mutable_latest()->set_num_versions(std::max<uint32_t>(policy.latest().num_versions(), 1));
  }
}

/// "tensorflow" says no more than that it is a model of TensorFlow Serving's; what lies there tells the backend.
void put_platform(const std::string& platform, ModelLayer& layer) {
  if (platform.empty() || platform == "tensorflow") return;
  const std::string backend = backend_of_platform(platform);
  layer.config.set_backend(backend.empty() ? platform : backend);
  layer.fields.insert("backend");
}

/// Its logging_config and its logging_configs.
std::vector<tf_serving::LoggingConfig> logging_of(const tf_serving::ModelConfig& config) {
  std::vector<tf_serving::LoggingConfig> all(config.logging_configs().begin(), config.logging_configs().end());
  if (config.has_logging_config()) all.insert(all.begin(), config.logging_config());
  return all;
}

/// The server is task 0, in no data centre, as TensorFlow Serving's own is.
double sampling_rate_of(const tf_serving::LoggingConfig::SamplingConfig& sampling) {
  for (const auto& task : sampling.per_task_sampling_configs())
    if (task.dc().empty() && task.task_index() == 0) return task.sampling_rate();
  return sampling.sampling_rate();
}

/// Nothing where no request is to be taken. The error says what is wrong.
Result<std::optional<RequestLogging>> read_logging(const tf_serving::LoggingConfig& logging) {
  const std::string& type = logging.log_collector_config().type();
  if (!type.empty() && type != kFileCollector)
    return invalid_argument("there is no collector of the type '" + type + "'; leave it out, or name '" +
                            kFileCollector + "', for files of records");
  const double rate = sampling_rate_of(logging.sampling_config());
  if (!(rate >= 0 && rate <= 1))
    return invalid_argument("the sampling_rate is " + std::to_string(rate) + ", but must be from 0, none, to 1, all");
  if (rate == 0) return std::optional<RequestLogging>();
  const std::string& prefix = logging.log_collector_config().filename_prefix();
  if (prefix.empty())
    return invalid_argument("the log_collector_config has no filename_prefix, which the names of its files begin with");
  return std::optional(RequestLogging{prefix, rate});
}

TfServingModel to_model(const tf_serving::ModelConfig& config, const TextFormat::ParseInfoTree* tree,
                        const std::string& file, const std::string& place) {
  TfServingModel model{config.name(), config.base_path(), place, {}, {}};
  const auto& type = *tf_serving::ModelConfig::descriptor();
  const auto where = [&](const char* field) { return place_in(tree, type, field, file, place); };
  const auto add = [&](const char* field, std::string message) {
    model.problems.push_back({Code::kInvalidArgument, where(field), std::move(message)});
  };
  if (const Status status = check_model_name(config.name()); !status.ok()) add("name", status.message());
  if (config.base_path().empty()) add("base_path", "model '" + config.name() + "' has no base_path");
  put_policy(config.model_version_policy(), model.layer);
  put_platform(config.model_platform(), model.layer);
  if (config.version_labels_size() > 0)
    model.layer.labels = VersionLabels(config.version_labels().begin(), config.version_labels().end());
  for (const auto& [label, version] : config.version_labels())
    if (label.empty() || version < 1)
      add("version_labels", "label '" + label + "' is version " + std::to_string(version) +
                                ", but labels are names of versions of 1 or more");
  std::vector<RequestLogging> logs;
  for (const auto& logging : logging_of(config)) {
    const auto read = read_logging(logging);
    const char* field = config.has_logging_config() ? "logging_config" : "logging_configs";
    if (!read.ok())
      add(field, "the logging of model '" + config.name() + "': " + read.status().message());
    else if (*read)
      logs.push_back(**read);
  }
  if (!logs.empty()) model.layer.request_logs = std::move(logs);
  model.layer.config.set_name(config.name());
  model.layer.fields.insert("name");
  std::map<std::string, std::string> places{{"name", where("name")},
                                            {"backend", where("model_platform")},
                                            {"version_policy", where("model_version_policy")},
                                            {"labels", where("version_labels")},
                                            {"request_logs", where("logging_config")}};
  model.layer.place_of = [places = std::move(places), place](const std::string& field) {
    const auto it = places.find(field.substr(0, field.find_first_of(".[")));
    return it == places.end() ? place : it->second;
  };
  return model;
}

/// What one execution may have: larger requests are run in parts, whether the file says so or not.
int64_t rows_of(const tf_serving::BatchingParameters& parameters) {
  const bool bounded = parameters.enable_large_batch_splitting().value() && parameters.has_max_execution_batch_size();
  return bounded ? parameters.max_execution_batch_size().value() : parameters.max_batch_size().value();
}

std::optional<ConfigIssue> check_batching(const tf_serving::BatchingParameters& parameters) {
  struct Bound {
    const char* field;
    bool given;
    int64_t value, least, most;
  };
  const Bound bounds[] = {
      {"max_batch_size", true, parameters.max_batch_size().value(), 1, kMostOfField},
      {"batch_timeout_micros", true, parameters.batch_timeout_micros().value(), 0, kMostOfField},
      {"max_execution_batch_size", parameters.has_max_execution_batch_size(),
       parameters.max_execution_batch_size().value(), 1, parameters.max_batch_size().value()},
      {"max_enqueued_batches", parameters.has_max_enqueued_batches(), parameters.max_enqueued_batches().value(), 1,
       kMostOfField},
      {"num_batch_threads", parameters.has_num_batch_threads(), parameters.num_batch_threads().value(), 1,
       kMostBatchThreads},
  };
  for (const Bound& bound : bounds)
    if (bound.given && (bound.value < bound.least || bound.value > bound.most))
      return ConfigIssue{Code::kInvalidArgument, bound.field,
                         "is " + std::to_string(bound.value) + ", but must be from " + std::to_string(bound.least) +
                             " to " + std::to_string(bound.most)};
  return std::nullopt;
}

ModelLayer to_layer(const tf_serving::BatchingParameters& parameters) {
  ModelLayer layer;
  const int64_t rows = rows_of(parameters);
  layer.config.set_max_batch_size(static_cast<int32_t>(rows));
  layer.fields = {"max_batch_size", "dynamic_batching"};
  auto* batching = layer.config.mutable_dynamic_batching();
  batching->set_max_queue_delay_microseconds(static_cast<uint64_t>(parameters.batch_timeout_micros().value()));
  if (parameters.has_max_enqueued_batches())
    batching->mutable_default_queue_policy()->set_max_queue_size(static_cast<uint32_t>(
        std::min(parameters.max_enqueued_batches().value() * parameters.max_batch_size().value(), kMostOfField)));
  if (parameters.has_num_batch_threads()) {
    const int threads = static_cast<int>(parameters.num_batch_threads().value());
    layer.config.add_instance_group()->set_count(threads);
    layer.fields.insert("instance_group");
    layer.instance_range = InstanceRange{threads, threads, {}};
  }
  if (parameters.allowed_batch_sizes_size() > 0)
    layer.allowed_sizes.emplace(parameters.allowed_batch_sizes().begin(), parameters.allowed_batch_sizes().end());
  return layer;
}

}  // namespace

TfServingConfig read_tf_serving_config(std::string_view text, const std::string& file) {
  TfServingConfig out;
  tf_serving::ModelServerConfig config;
  TextFormat::ParseInfoTree tree;
  out.problems = parse_text_proto(text, file, config, &tree);
  if (!out.problems.empty()) return out;
  const auto* list = tf_serving::ModelServerConfig::descriptor()->FindFieldByName("model_config_list");
  const auto* entry = tf_serving::ModelConfigList::descriptor()->FindFieldByName("config");
  TextFormat::ParseInfoTree* inside = tree.GetTreeForNested(list, -1);
  for (int i = 0; i < config.model_config_list().config_size(); ++i) {
    std::string place = file;
    const TextFormat::ParseInfoTree* fields = nullptr;
    if (inside != nullptr) {
      const auto location = inside->GetLocation(entry, i);
      if (location.line >= 0) place = text_place(file, location.line, location.column);
      fields = inside->GetTreeForNested(entry, i);
    }
    out.models.push_back(to_model(config.model_config_list().config(i), fields, file, place));
  }
  return out;
}

TfServingConfig read_tf_serving_config(const tf_serving::ModelServerConfig& message) {
  TfServingConfig out;
  if (!message.has_model_config_list()) {
    out.problems.push_back({Code::kInvalidArgument, {}, "the configuration has no model_config_list"});
    return out;
  }
  const auto& list = message.model_config_list();
  for (int i = 0; i < list.config_size(); ++i) {
    const std::string place = "model_config_list.config[" + std::to_string(i) + "]";
    tf_serving::ModelConfig config = list.config(i);
    if (!logging_of(config).empty()) {
      out.notes.push_back(place + ": the logging_config of model '" + config.name() +
                          "' is passed over: a client doesn't say which files the server writes");
      config.clear_logging_config();
      config.clear_logging_configs();
    }
    out.models.push_back(to_model(config, nullptr, place, place));
  }
  return out;
}

Result<ModelLayer> read_tf_batching_parameters(std::string_view text, const std::string& file) {
  tf_serving::BatchingParameters parameters;
  TextFormat::ParseInfoTree tree;
  if (const auto problems = parse_text_proto(text, file, parameters, &tree); !problems.empty())
    return status_of(problems.front());
  const auto where = [&](const char* field) {
    return place_in(&tree, *tf_serving::BatchingParameters::descriptor(), field, file, file);
  };
  if (!parameters.has_max_batch_size()) parameters.mutable_max_batch_size()->set_value(kDefaultMaxBatch);
  if (const auto issue = check_batching(parameters))
    return Status(issue->code, where(issue->field.c_str()) + ": " + issue->field + ": " + issue->message);
  ModelLayer layer = to_layer(parameters);
  layer.place_of = [place = where("max_batch_size"), sizes = where("allowed_batch_sizes")](const std::string& field) {
    return field == "allowed_sizes" ? sizes : place;
  };
  return layer;
}

std::string tf_thread_pool_name(std::string_view text) {
  tf_serving::BatchingParameters parameters;
  const bool read = parse_text_proto(text, "", parameters, nullptr).empty();
  return read && parameters.has_thread_pool_name() ? parameters.thread_pool_name().value() : "batch_threads";
}

}  // namespace modelmill
