#include "dialect/description/open_api.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/description/operation_text.h"
#include "dialect/description/schema_file.h"

namespace modelmill::description {
namespace {

constexpr std::string_view kTfMetrics = "/monitoring/prometheus/metrics";

std::string_view json_type(DataType dtype) {
  switch (dtype) {
    case DataType::kBool: return "boolean";
    case DataType::kBytes: return "string";
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
    case DataType::kFp64: return "number";
    default: return "integer";
  }
}

/// Nested arrays; those whose size is fixed say it. Outputs may have NaN and infinities, for which a schema has no
/// word.
void write_tensor_schema(JsonWriter& json, const TensorSpec& spec, size_t dimension, bool inputs) {
  if (dimension == spec.shape.size()) {
    const std::string_view type = json_type(spec.dtype);
    json.begin_object();
    if (!inputs && type == "number")
      json.field("description", "a number, NaN, Infinity or -Infinity");
    else
      json.field("type", type);
    json.end_object();
    return;
  }
  json.begin_object().field("type", "array");
  const int64_t size = spec.shape[dimension];
  if (size >= 0) json.field("minItems", size).field("maxItems", size);
  if (dimension == 0)
    json.field("description", std::string(dtype_name(spec.dtype)) + " " + shape_text(dims(spec.shape)));
  json.key("items");
  write_tensor_schema(json, spec, dimension + 1, inputs);
  json.end_object();
}

/// /predict takes one row without its first dimension, and answers it without.
void write_rows_schema(JsonWriter& json, const TensorSpec& spec, bool inputs) {
  if (spec.shape.empty() || (spec.shape[0] != -1 && spec.shape[0] != 1))
    return write_tensor_schema(json, spec, 0, inputs);
  json.begin_object().key("anyOf").begin_array();
  write_tensor_schema(json, spec, 0, inputs);
  write_tensor_schema(json, spec, 1, inputs);
  json.end_array().end_object();
}

/// An object with the tensors by their names.
void write_object_schema(JsonWriter& json, const std::vector<TensorSpec>& specs, bool inputs) {
  json.begin_object().field("type", "object").key("properties").begin_object();
  for (const TensorSpec& spec : specs) {
    json.key(spec.name);
    write_rows_schema(json, spec, inputs);
  }
  json.end_object();
  if (inputs) {
    json.key("required").begin_array();
    for (const TensorSpec& spec : specs)
      if (!spec.optional) json.value(spec.name);
    json.end_array();
  }
  json.end_object();
}

/// A model's one input may be sent without its name.
void write_tensors(JsonWriter& json, const std::vector<TensorSpec>& specs, bool inputs) {
  json.key("content").begin_object().key("application/json").begin_object().key("schema");
  if (inputs && specs.size() == 1) {
    json.begin_object().key("anyOf").begin_array();
    write_object_schema(json, specs, inputs);
    write_rows_schema(json, specs[0], inputs);
    json.end_array().end_object();
  } else {
    write_object_schema(json, specs, inputs);
  }
  json.end_object().end_object();
}

void begin_model_operation(JsonWriter& json, std::string_view method, const std::string& id,
                           const std::string& summary) {
  json.key(method).begin_object().field("operationId", id).field("summary", summary);
  json.key("tags").begin_array().value("Models").end_array();
}

/// How one model is asked by its name.
void write_model(JsonWriter& json, const ModelVersion& version) {
  json.key("/predict/" + version.name()).begin_object();
  begin_model_operation(json, "get", "describe:" + version.name(), "How to ask model " + version.name());
  json.key("responses").begin_object().key("200").begin_object().field("description", "Its inputs and an example");
  write_content(json, Content::kText, {});
  json.end_object();
  write_error_replies(json, "error");
  json.end_object().end_object();
  begin_model_operation(json, "post", "predict:" + version.name(), "Inference by model " + version.name());
  json.key("requestBody").begin_object().field("required", true);
  write_tensors(json, version.signature().inputs, true);
  json.end_object().key("responses").begin_object().key("200").begin_object().field("description", "Its outputs");
  write_tensors(json, version.signature().outputs, false);
  json.end_object();
  write_error_replies(json, "error");
  json.end_object().end_object().end_object();
}

/// Names that stand in a path as they are.
bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

}  // namespace

std::string open_api(const Catalog& catalog, const std::string& server_version, const std::string& tf_metrics_path) {
  JsonWriter json;
  json.begin_object().field("openapi", "3.1.0").key("info").begin_object();
  json.field("title", "modelmill").field("version", server_version);
  json.field("description",
             "One port for several protocols of model servers. The gRPC services on it are described by /protos and by "
             "server reflection.");
  json.end_object().key("paths").begin_object();
  const auto all = operations();
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string_view path =
        all[i].path == kTfMetrics && !tf_metrics_path.empty() ? std::string_view(tf_metrics_path) : all[i].path;
    if (i == 0 || all[i - 1].path != all[i].path) json.key(path).begin_object();
    write_operation(json, all[i], path);
    if (i + 1 == all.size() || all[i + 1].path != all[i].path) json.end_object();
  }
  const auto table = catalog.table();
  for (const ModelEntry* entry : table->entries())
    if (!entry->versions.empty() && is_plain(entry->name)) write_model(json, **entry->find(0));
  json.end_object().key("components").begin_object().key("schemas").raw(schema_file().at(0).text);
  json.end_object().end_object();
  return json.take();
}

}  // namespace modelmill::description
