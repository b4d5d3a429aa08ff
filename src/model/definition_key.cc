#include "model/definition_key.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "base/json_text.h"
#include "model_config.pb.h"

namespace modelmill {
namespace {

/// The configuration that was serialised, without the version policy, and with the entries of its maps in order.
std::string ordered_config(const std::string& serialised) {
  inference::ModelConfig config;
  (void)config.ParseFromString(serialised);  // our own serialisation
  config.clear_version_policy();
  std::string text;
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    config.SerializeToCodedStream(&out);
  }
  return text;
}

void write_combination(JsonWriter& json, const CombinationDefinition& combination) {
  json.key("combination").begin_object().field("combiner", combiner_name(combination.combiner));
  json.field("quorum", combination.quorum).field("deadline_us", combination.deadline.count());
  json.key("members").begin_array();
  for (const CombinationDefinition::Member& member : combination.members) {
    json.begin_object().field("model", member.model).field("version", member.version);
    json.field("label", member.label).field("weight", member.weight).end_object();
  }
  json.end_array().key("outputs").begin_array();
  for (const std::string& output : combination.outputs) json.value(output);
  json.end_array();
  if (const auto& learning = combination.learning) {
    json.key("learning").begin_object().field("rate", learning->rate).field("floor", learning->floor);
    json.field("loss", loss_name(learning->loss.value_or(default_loss(combination.combiner))));
    json.field("range", learning->range).field("output", learning->output).end_object();
  }
  json.end_object();
}

void write_pipeline(JsonWriter& json, const std::vector<EnsembleStep>& steps) {
  const auto write_map = [&json](const char* key, const std::map<std::string, std::string>& map) {
    json.key(key).begin_object();
    for (const auto& [name, tensor] : map) json.field(name, tensor);
    json.end_object();
  };
  json.key("pipeline").begin_array();
  for (const EnsembleStep& step : steps) {
    json.begin_object().field("model", step.text()).field("otherwise", step.otherwise);
    write_map("inputs", step.inputs);
    write_map("outputs", step.outputs);
    if (step.when) json.field("when", step.when->to_string());
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string making_key(const ModelDefinition& definition) {
  const InstanceRange& range = definition.instance_range;
  JsonWriter json;
  json.begin_object();
  json.field("max_batch_size", definition.max_batch_size.value_or(-1));
  json.field("least_instances", range.min.value_or(-1)).field("most_instances", range.max.value_or(-1));
  json.field("zero_after_us", range.zero_after.count()).field("instance_threads", definition.instance_threads);
  json.field("objective_us", definition.batching.objective_p99.count());
  json.field("swap", static_cast<int>(definition.swap));  // decides what is remembered of its files
  json.key("allowed_sizes").begin_array();
  for (const int64_t size : definition.batching.allowed_sizes) json.value(size);
  json.end_array();
  if (!definition.request_logs.empty()) {
    json.key("request_logs").begin_array();
    for (const RequestLogging& log : definition.request_logs) json.value(log.file_prefix).value(log.sampling_rate);
    json.end_array();
  }
  if (definition.ensemble && definition.ensemble->combination)
    write_combination(json, *definition.ensemble->combination);
  if (definition.ensemble && definition.ensemble->has_conditions()) write_pipeline(json, definition.ensemble->steps);
  json.end_object();
  return json.take() + ordered_config(definition.triton_config);
}

std::string serving_key(const ModelDefinition& definition) {
  JsonWriter json;
  json.begin_object().key("labels").begin_object();
  for (const auto& [label, version] : definition.labels) json.field(label, version);
  json.end_object();
  json.field("default_version", definition.default_version.value_or(0));
  json.field("allow_breaking", definition.allow_breaking).field("pinned", definition.pinned);
  json.end_object();
  return json.take();
}

}  // namespace modelmill
