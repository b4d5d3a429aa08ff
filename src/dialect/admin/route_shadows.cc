#include "dialect/admin/route_shadows.h"

#include <cmath>
#include <string>

#include "base/utc_time.h"
#include "dialect/json_output.h"
#include "route/output_values.h"
#include "tensor/float_element.h"

namespace modelmill::admin {
namespace {

/// JSON has no numbers for what is not finite.
void write_number(JsonWriter& json, double number) {
  if (std::isfinite(number))
    json.value(number);
  else
    json.value(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
}

void write_data(JsonWriter& json, const Tensor& tensor) {
  if (!is_float(tensor.dtype)) {
    std::string elements;
    if (append_json_elements(elements, tensor, /*nested=*/false).ok())
      json.raw(elements);
    else
      json.null();
    return;
  }
  const OutputValues values(tensor);
  json.begin_array();
  for (size_t i = 0; i < values.size(); ++i) write_number(json, values.number(i));
  json.end_array();
}

void write_tensors(JsonWriter& json, const char* key, const std::vector<Tensor>& tensors) {
  json.key(key).begin_array();
  for (const Tensor& tensor : tensors) {
    json.begin_object().field("name", tensor.name).field("datatype", dtype_name(tensor.dtype));
    json.key("shape").begin_array();
    for (const int64_t size : tensor.shape) json.value(size);
    json.end_array().key("data");
    write_data(json, tensor);
    json.end_object();
  }
  json.end_array();
}

void write_example(JsonWriter& json, const ShadowExample& example) {
  json.begin_object()
      .field("at", utc_text(example.at, "%Y-%m-%dT%H:%M:%SZ"))
      .field("id", example.id)
      .field("arm", example.primary);
  json.field("version", example.primary_version).field("shadow_version", example.shadow_version);
  json.field("output", example.worst.output).field("kind", comparison_kind_name(example.worst.kind));
  write_number(json.key("distance"), example.worst.distance);
  json.field("limit", example.worst.limit);
  write_number(json.key("excess"), example.worst.excess());
  json.field("problem", example.worst.problem);
  write_tensors(json, "inputs", example.inputs);
  write_tensors(json, "answer", example.answer);
  write_tensors(json, "shadow_answer", example.shadow_answer);
  json.end_object();
}

void write_latency(JsonWriter& json, const char* of, const HistogramValue& histogram) {
  json.key(of).begin_object().field("p50", latency_quantile_us(histogram, 0.5));
  json.field("p99", latency_quantile_us(histogram, 0.99)).end_object();
}

}  // namespace

void write_shadows(JsonWriter& json, const Route& route, bool examples) {
  json.begin_array();
  for (const Route::Shadow& shadow : route.shadows()) {
    const ShadowCounts counts = shadow.stats->counts();
    json.begin_object().field("target", shadow.name).field("share", share_text(shadow.definition.percent));
    if (shadow.definition.of) json.field("of", shadow.definition.of->text());
    json.field("compared", counts.compared).field("disagreed", counts.disagreed).field("shed", counts.shed);
    json.field("failed", counts.failed).field("last_failure", shadow.stats->last_failure());
    json.field("not_compared", counts.not_compared);
    json.field("last_comparison_failure", shadow.stats->last_comparison_failure());
    write_number(json.key("worst_distance"), counts.worst);
    json.key("latency_us").begin_object();
    write_latency(json, "primary", counts.primary_us);
    write_latency(json, "shadow", counts.shadow_us);
    json.end_object();
    if (examples) {
      json.key("examples").begin_array();
      for (const ShadowExample& example : shadow.stats->examples().list()) write_example(json, example);
      json.end_array();
    }
    json.end_object();
  }
  json.end_array();
}

}  // namespace modelmill::admin
