#include "dialect/kserve_v2/http_json.h"

#include "base/json_text.h"

namespace modelmill::kserve_v2 {
namespace {

template <typename Tensors>
void write_tensors(JsonWriter& json, const char* key, const Tensors& tensors) {
  json.key(key).begin_array();
  for (const auto& tensor : tensors) {
    json.begin_object().field("name", tensor.name()).field("datatype", tensor.datatype());
    json.key("shape").begin_array();
    for (const int64_t size : tensor.shape()) json.value(size);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_duration(JsonWriter& json, const char* key, const inference::StatisticDuration& duration) {
  json.key(key).begin_object();
  json.field("count", uint64_t{duration.count()}).field("ns", uint64_t{duration.ns()});
  json.end_object();
}

void write_model(JsonWriter& json, const inference::ModelStatistics& model) {
  json.begin_object();
  json.field("name", model.name()).field("version", model.version());
  json.field("last_inference", uint64_t{model.last_inference()});
  json.field("inference_count", uint64_t{model.inference_count()});
  json.field("execution_count", uint64_t{model.execution_count()});
  const inference::InferStatistics& all = model.inference_stats();
  json.key("inference_stats").begin_object();
  write_duration(json, "success", all.success());
  write_duration(json, "fail", all.fail());
  write_duration(json, "queue", all.queue());
  write_duration(json, "compute_input", all.compute_input());
  write_duration(json, "compute_infer", all.compute_infer());
  write_duration(json, "compute_output", all.compute_output());
  write_duration(json, "cache_hit", all.cache_hit());
  write_duration(json, "cache_miss", all.cache_miss());
  json.end_object();
  json.key("response_stats").begin_object().end_object();
  json.key("batch_stats").begin_array();
  for (const inference::InferBatchStatistics& batch : model.batch_stats()) {
    json.begin_object().field("batch_size", uint64_t{batch.batch_size()});
    write_duration(json, "compute_input", batch.compute_input());
    write_duration(json, "compute_infer", batch.compute_infer());
    write_duration(json, "compute_output", batch.compute_output());
    json.end_object();
  }
  json.end_array();
  json.key("memory_usage").begin_array().end_array();
  json.end_object();
}

}  // namespace

std::string to_json(const inference::ServerMetadataResponse& metadata) {
  JsonWriter json;
  json.begin_object().field("name", metadata.name()).field("version", metadata.version());
  json.key("extensions").begin_array();
  for (const std::string& extension : metadata.extensions()) json.value(extension);
  json.end_array().end_object();
  return json.take();
}

std::string to_json(const inference::ModelMetadataResponse& metadata) {
  JsonWriter json;
  json.begin_object().field("name", metadata.name());
  json.key("versions").begin_array();
  for (const std::string& version : metadata.versions()) json.value(version);
  json.end_array();
  json.field("platform", metadata.platform());
  write_tensors(json, "inputs", metadata.inputs());
  write_tensors(json, "outputs", metadata.outputs());
  json.end_object();
  return json.take();
}

std::string to_json(const inference::ModelStatisticsResponse& statistics) {
  JsonWriter json;
  json.begin_object().key("model_stats").begin_array();
  for (const inference::ModelStatistics& model : statistics.model_stats()) write_model(json, model);
  json.end_array().end_object();
  return json.take();
}

std::string to_json(const inference::RepositoryIndexResponse& index) {
  JsonWriter json;
  json.begin_array();
  for (const auto& model : index.models()) {
    json.begin_object().field("name", model.name());
    if (!model.version().empty()) json.field("version", model.version());
    if (!model.state().empty()) json.field("state", model.state());
    if (!model.reason().empty()) json.field("reason", model.reason());
    json.end_object();
  }
  json.end_array();
  return json.take();
}

}  // namespace modelmill::kserve_v2
