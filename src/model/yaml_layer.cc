#include "model/yaml_layer.h"

#include <map>
#include <utility>

#include "base/duration_text.h"
#include "model/yaml_check.h"
#include "model/yaml_ensemble.h"
#include "tensor/dtype.h"

namespace modelmill {
namespace {

int64_t number_of(const YAML::Node& value) { return yaml_number(value).value_or(0); }

std::chrono::microseconds time_of(const YAML::Node& value) {
  const auto time = parse_duration(value.Scalar());
  return time.ok() ? *time : std::chrono::microseconds(0);
}

inference::DataType type_of(const YAML::Node& value) {
  return static_cast<inference::DataType>(parse_dtype(value.Scalar()).value_or(DataType::kInvalid));
}

/// Where each field was written.
class Places {
 public:
  explicit Places(std::string file) : file_(std::move(file)) {}

  void add(const std::string& field, const YAML::Mark& mark) { places_.emplace(field, yaml_place(file_, mark)); }

  /// Of the field, or of the longest part of its path that has one; the file where none has.
  std::string find(std::string field) const {
    while (true) {
      if (const auto it = places_.find(field); it != places_.end()) return it->second;
      const size_t cut = field.find_last_of(".[");
      if (cut == std::string::npos) return file_;
      field.resize(cut);
    }
  }

 private:
  std::string file_;
  std::map<std::string, std::string> places_;
};

/// Puts a model's keys, one after the other, into a layer.
class Translation {
 public:
  Translation(const YAML::Node& model, const std::string& file, std::vector<ConfigProblem>& problems)
      : model_(model), file_(file), problems_(problems), places_(std::make_shared<Places>(file)) {}

  ModelLayer run() {
    put_identity();
    put_versions();
    put_instances();
    put_batching();
    put_queue();
    put_tensors();
    put_warmup();
    put_ensemble();
    for (const auto& entry : get("parameters", "parameters"))
      (*config_.mutable_parameters())[entry.first.Scalar()].set_string_value(entry.second.Scalar());
    put_runtime();
    if (const auto value = get("instance_memory", "parameters.instance_memory"))
      (*config_.mutable_parameters())["instance_memory"].set_string_value(value.Scalar());
    for (const auto& entry : get("metric_tags", "metric_tags"))
      (*config_.mutable_metric_tags())[entry.first.Scalar()] = entry.second.Scalar();
    layer_.place_of = [places = places_](const std::string& field) { return places->find(field); };
    return std::move(layer_);
  }

 private:
  /// The value of a key of the model, and notes that it sets `field` of Triton's configuration.
  YAML::Node get(const char* key, const std::string& field) {
    const YAML::Node value = model_[key];
    if (value.IsDefined()) set(field, value);
    return value;
  }

  void set(const std::string& field, const YAML::Node& value) {
    layer_.fields.insert(field.substr(0, field.find_first_of(".[")));
    places_->add(field, value.Mark());
  }

  /// The same for what Triton's configuration has no field for.
  YAML::Node extra(const YAML::Node& group, const char* key, const char* member) {
    const YAML::Node value = group[key];
    if (value.IsDefined()) places_->add(member, value.Mark());
    return value;
  }

  void add_problem(const YAML::Node& value, std::string message) {
    problems_.push_back({Code::kInvalidArgument, yaml_place(file_, value.Mark()), std::move(message)});
  }

  void put_identity() {
    if (const auto value = get("name", "name")) config_.set_name(value.Scalar());
    if (const auto value = get("backend", "backend")) config_.set_backend(value.Scalar());
    if (const auto value = get("file", "default_model_filename")) config_.set_default_model_filename(value.Scalar());
    if (const auto value = get("decoupled", "model_transaction_policy"))
      config_.mutable_model_transaction_policy()->set_decoupled(yaml_switch(value).value_or(false));
    if (const auto value = get("response_cache", "response_cache"))
      config_.mutable_response_cache()->set_enable(yaml_switch(value).value_or(false));
    if (const auto value = extra(model_, "swap", "swap"))
      layer_.swap = value.Scalar() == "resource" ? SwapPolicy::kResource : SwapPolicy::kAvailability;
    if (const auto value = extra(model_, "allow_breaking", "allow_breaking"))
      layer_.allow_breaking = yaml_switch(value);
    if (const auto value = extra(model_, "pinned", "pinned")) layer_.pinned = yaml_switch(value);
  }

  void put_runtime() {
    auto& parameters = *config_.mutable_parameters();
    for (const char* key : {"runtime", "runtime_tolerance"})
      if (const auto value = get(key, std::string("parameters.") + key))
        parameters[key].set_string_value(value.Scalar());
    if (const auto precisions = get("runtime_precisions", "parameters.runtime_precisions")) {
      std::string text;
      for (const auto& precision : precisions) text += (text.empty() ? "" : ",") + precision.Scalar();
      parameters["runtime_precisions"].set_string_value(text);
    }
  }

  void put_versions() {
    if (const auto labels = extra(model_, "labels", "labels")) {
      layer_.labels.emplace();
      for (const auto& entry : labels) (*layer_.labels)[entry.first.Scalar()] = number_of(entry.second);
    }
    if (const auto value = extra(model_, "default_version", "default_version"))
      layer_.default_version = number_of(value);
    const auto versions = get("versions", "version_policy");
    if (!versions) return;
    auto* policy = config_.mutable_version_policy();
    if (versions.IsScalar()) {
      policy->mutable_all();
      return;
    }
    if (versions.size() != 1) add_problem(versions, "'versions' must have one of latest and specific");
    if (const auto latest = versions["latest"])
      policy->mutable_latest()->set_num_versions(static_cast<uint32_t>(number_of(latest)));
    if (const auto specific = versions["specific"])
      for (const auto& version : specific) policy->mutable_specific()->add_versions(number_of(version));
  }

  void put_instances() {
    if (const auto value = extra(model_, "instance_threads", "instance_threads"))
      layer_.instance_threads = static_cast<int>(number_of(value));
    const auto instances = extra(model_, "instances", "instance_range");
    inference::ModelInstanceGroup group;
    if (instances && instances.IsScalar()) {
      const int count = static_cast<int>(number_of(instances));
      set("instance_group", instances);
      group.set_count(count);
      layer_.instance_range = count > 0 ? InstanceRange{count, count, {}} : InstanceRange{};
    } else if (instances && instances.IsMap()) {
      InstanceRange range;
      if (const auto value = instances["min"]) range.min = static_cast<int>(number_of(value));
      if (const auto value = instances["max"]) range.max = static_cast<int>(number_of(value));
      if (const auto value = instances["zero_after"]) range.zero_after = time_of(value);
      layer_.instance_range = range;
    }
    if (const auto device = get("device", "instance_group")) {
      using Group = inference::ModelInstanceGroup;
      const std::string& kind = device.Scalar();
      group.set_kind(kind == "cpu" ? Group::KIND_CPU : kind == "gpu" ? Group::KIND_GPU : Group::KIND_AUTO);
    }
    if (const auto gpus = get("gpus", "instance_group")) {
      for (const auto& gpu : gpus) group.add_gpus(static_cast<int32_t>(number_of(gpu)));
      if (!model_["device"].IsDefined()) group.set_kind(inference::ModelInstanceGroup::KIND_GPU);
    }
    // Without a word of a group, lower layers' groups go and none takes their place: all is chosen.
    if (group.ByteSizeLong() > 0) *config_.add_instance_group() = group;
  }

  void put_batching() {
    const YAML::Node batching = model_["batching"];
    if (!batching.IsDefined()) return;
    if (batching.IsScalar()) {  // off
      set("max_batch_size", batching);
      return;
    }
    if (const auto value = batching["max_size"]) {
      set("max_batch_size", value);
      config_.set_max_batch_size(static_cast<int32_t>(number_of(value)));
    }
    if (const auto value = batching["delay"]) {
      set("dynamic_batching.max_queue_delay_microseconds", value);
      dynamic().set_max_queue_delay_microseconds(static_cast<uint64_t>(time_of(value).count()));
    }
    if (const auto value = batching["preferred_sizes"]) {
      set("dynamic_batching.preferred_batch_size", value);
      for (const auto& size : value) dynamic().add_preferred_batch_size(static_cast<int32_t>(number_of(size)));
    }
    if (const auto value = batching["preserve_ordering"]) {
      set("dynamic_batching.preserve_ordering", value);
      dynamic().set_preserve_ordering(yaml_switch(value).value_or(false));
    }
    if (const auto sizes = extra(batching, "allowed_sizes", "allowed_sizes")) {
      layer_.allowed_sizes.emplace();
      for (const auto& size : sizes) layer_.allowed_sizes->push_back(number_of(size));
    }
    if (const auto value = extra(batching, "objective", "objective_p99")) layer_.objective_p99 = time_of(value["p99"]);
  }

  inference::ModelDynamicBatching& dynamic() { return *config_.mutable_dynamic_batching(); }

  void put_queue() {
    if (const auto queue = model_["queue"]; queue.IsDefined()) {
      set("dynamic_batching.default_queue_policy", queue);
      fill_policy(queue, *dynamic().mutable_default_queue_policy());
    }
    const auto priorities = model_["priorities"];
    if (!priorities.IsDefined()) return;
    set("dynamic_batching.priority_levels", priorities["levels"]);
    dynamic().set_priority_levels(static_cast<uint64_t>(number_of(priorities["levels"])));
    set("dynamic_batching.default_priority_level", priorities["default"]);
    dynamic().set_default_priority_level(static_cast<uint64_t>(number_of(priorities["default"])));
    const auto queues = priorities["queues"];
    if (!queues.IsDefined()) return;
    set("dynamic_batching.priority_queue_policy", queues);
    for (const auto& entry : queues)
      fill_policy(entry.second,
                  (*dynamic().mutable_priority_queue_policy())[static_cast<uint64_t>(number_of(entry.first))]);
  }

  static void fill_policy(const YAML::Node& queue, inference::ModelQueuePolicy& policy) {
    if (const auto value = queue["max_size"]) policy.set_max_queue_size(static_cast<uint32_t>(number_of(value)));
    if (const auto value = queue["timeout"])
      policy.set_default_timeout_microseconds(static_cast<uint64_t>(time_of(value).count()));
    if (const auto value = queue["timeout_action"])
      policy.set_timeout_action(value.Scalar() == "delay" ? inference::ModelQueuePolicy::DELAY
                                                          : inference::ModelQueuePolicy::REJECT);
    if (const auto value = queue["allow_timeout_override"])
      policy.set_allow_timeout_override(yaml_switch(value).value_or(false));
  }

  /// The parts that inputs and outputs share.
  template <typename Io>
  void fill_tensor(const YAML::Node& value, const std::string& field, Io& io) {
    set(field, value);
    io.set_name(value["name"].Scalar());
    io.set_data_type(type_of(value["type"]));
    set(field + ".dims", value["dims"]);
    for (const auto& size : value["dims"]) io.add_dims(number_of(size));
    const auto reshape = value["reshape"];
    if (!reshape.IsDefined()) return;
    set(field + ".reshape", reshape);
    io.mutable_reshape();
    for (const auto& size : reshape) io.mutable_reshape()->add_shape(number_of(size));
  }

  void put_tensors() {
    const auto inputs = get("inputs", "input");
    for (size_t i = 0; inputs && i < inputs.size(); ++i) {
      auto& io = *config_.add_input();
      fill_tensor(inputs[i], "input[" + std::to_string(i) + "]", io);
      if (const auto value = inputs[i]["optional"]) io.set_optional(yaml_switch(value).value_or(false));
      if (const auto value = inputs[i]["ragged"]) io.set_allow_ragged_batch(yaml_switch(value).value_or(false));
    }
    const auto outputs = get("outputs", "output");
    for (size_t i = 0; outputs && i < outputs.size(); ++i) {
      auto& io = *config_.add_output();
      fill_tensor(outputs[i], "output[" + std::to_string(i) + "]", io);
      if (const auto value = outputs[i]["labels"]) io.set_label_filename(value.Scalar());
    }
  }

  void put_warmup() {
    const auto samples = get("warmup", "model_warmup");
    for (size_t i = 0; samples && i < samples.size(); ++i) {
      const std::string field = "model_warmup[" + std::to_string(i) + "]";
      set(field, samples[i]);
      auto& sample = *config_.add_model_warmup();
      sample.set_name(samples[i]["name"] ? samples[i]["name"].Scalar() : "sample " + std::to_string(i + 1));
      sample.set_batch_size(samples[i]["batch_size"] ? static_cast<uint32_t>(number_of(samples[i]["batch_size"])) : 1);
      if (const auto count = samples[i]["count"]) sample.set_count(static_cast<uint32_t>(number_of(count)));
      for (const auto& entry : samples[i]["inputs"])
        fill_warmup_input(entry.second, (*sample.mutable_inputs())[entry.first.Scalar()]);
    }
  }

  void fill_warmup_input(const YAML::Node& value, inference::ModelWarmup::Input& input) {
    input.set_data_type(type_of(value["type"]));
    for (const auto& size : value["dims"]) input.add_dims(number_of(size));
    const auto fill = value["fill"], file = value["file"];
    if (fill.IsDefined() == file.IsDefined())
      add_problem(value, "an input of a warmup sample must have one of fill and file");
    if (file.IsDefined())
      input.set_input_data_file(file.Scalar());
    else if (fill.IsDefined() && fill.Scalar() == "random")
      input.set_random_data(true);
    else
      input.set_zero_data(true);
  }

  void put_ensemble() {
    const auto ensemble = model_["ensemble"];
    if (!ensemble.IsDefined()) return;
    if (model_["path"].IsDefined()) add_problem(ensemble, "an ensemble has no path: its members have");
    YamlEnsemble read = ensemble_of_yaml(ensemble, file_, problems_);
    if (read.combination) {
      places_->add("combination", ensemble.Mark());
      layer_.combination = std::move(read.combination);
    } else if (read.pipeline) {
      places_->add("pipeline", ensemble.Mark());
      layer_.pipeline = std::move(read.pipeline);
    } else if (read.scheduling) {
      set("platform", ensemble);
      set("ensemble_scheduling", ensemble);
      config_.set_platform(std::string(kEnsemblePlatform));
      *config_.mutable_ensemble_scheduling() = *std::move(read.scheduling);
    }
  }

  const YAML::Node& model_;
  const std::string& file_;
  std::vector<ConfigProblem>& problems_;
  ModelLayer layer_;
  inference::ModelConfig& config_ = layer_.config;
  std::shared_ptr<Places> places_;
};

}  // namespace

ModelLayer layer_of_yaml(const YAML::Node& model, const std::string& file, std::vector<ConfigProblem>& problems) {
  return Translation(model, file, problems).run();
}

}  // namespace modelmill
