#include "dialect/admin/explain.h"

#include <string>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/model_path.h"
#include "dialect/version_text.h"

namespace modelmill::admin {
namespace {

double microseconds(Duration d) { return static_cast<double>(to_ns(d)) / 1e3; }

const char* kind_name(InstanceGroup::Kind kind) {
  switch (kind) {
    case InstanceGroup::Kind::kGpu: return "gpu";
    case InstanceGroup::Kind::kModel: return "model";
    default: return "cpu";
  }
}

void write_cost(JsonWriter& json, const ExplainedCost& explained) {
  json.begin_object().field("device", kind_name(explained.cost.kind)).field("inputs", explained.cost.shapes);
  json.field("best_rows", explained.worth).field("gain", explained.gain).field("rows_per_second", explained.rate);
  json.field("next_limit", explained.limit).field("explored", explained.explored);
  json.key("sizes").begin_array();
  for (const CostPoint& point : explained.cost.points)
    json.begin_object()
        .field("rows", point.rows)
        .field("mean_us", microseconds(point.mean))
        .field("p99_us", microseconds(point.p99))
        .field("executions", point.executions)
        .end_object();
  json.end_array().end_object();
}

/// What is planned under the latency objective, and what else there is to choose.
void write_outlook(JsonWriter& json, const InstanceOutlook& outlook) {
  const auto write = [&json](const InstanceOption& option) {
    json.field("instances", option.instances).field("batch_rows", option.rows);
    json.field("delay_us", microseconds(option.delay)).field("execution_us", microseconds(option.execution));
    json.field("rows_per_second", option.rate).field("holds", option.holds).field("measured", option.measured);
    if (option.p99 != Duration::max()) json.field("p99_us", microseconds(option.p99));
  };
  json.key("objective").begin_object().field("arrivals_per_second", outlook.arrivals).field("share", outlook.share);
  json.field("last_change", outlook.last_change).key("plan").begin_object();
  write(outlook.current);
  json.end_object().key("options").begin_array();
  for (const InstanceOption& option : outlook.options) {
    json.begin_object();
    write(option);
    json.end_object();
  }
  json.end_array().end_object();
}

void write_layout(JsonWriter& json, const RuntimeLayout& layout) {
  json.field("backend", layout.backend).field("threads", layout.threads).field("instances", layout.instances);
  if (!layout.precision.empty()) json.field("precision", layout.precision);
}

void write_runtimes(JsonWriter& json, const RuntimeReport& report) {
  json.key("runtimes").begin_object().key("chosen").begin_object();
  write_layout(json, report.chosen);
  json.end_object().field("reason", report.reason).field("tolerance", report.tolerance);
  json.key("candidates").begin_array();
  for (const RuntimeCandidate& candidate : report.candidates) {
    json.begin_object();
    write_layout(json, candidate.layout);
    json.field("runtime", candidate.runtime).field("distance", candidate.distance);
    json.field("excluded", candidate.excluded).field("seen", candidate.seen).key("sizes").begin_array();
    for (const RuntimeTiming& timing : candidate.timings)
      json.begin_object()
          .field("rows", timing.rows)
          .field("rows_per_second", timing.rows_per_second)
          .field("execution_us", timing.milliseconds * 1e3)
          .end_object();
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

void write_ensemble(JsonWriter& json, const Explanation& explanation) {
  json.key("ensemble").begin_object().field("combination", explanation.combination).key("steps").begin_array();
  for (const std::string& step : explanation.steps) json.value(step);
  json.end_array();
  if (!explanation.weights.empty()) {
    json.key("weights").begin_object();
    for (const auto& [member, weight] : explanation.weights) json.field(member, weight);
    json.end_object();
  }
  json.end_object();
}

void write_devices(JsonWriter& json, const std::vector<DeviceUse>& devices) {
  json.key("devices").begin_array();
  for (const DeviceUse& use : devices)
    json.begin_object()
        .field("gpu", use.gpu)
        .field("bytes", use.bytes)
        .field("held_bytes", use.held)
        .field("budget_bytes", use.budget)
        .end_object();
  json.end_array();
}

/// What leads to the model beside its own name.
void write_routes(JsonWriter& json, const Routes& routes, const std::string& model) {
  json.key("routes").begin_array();
  for (const auto& route : routes.leading_to(model)) {
    json.begin_object().field("name", route->name()).key("arms").begin_array();
    for (const Route::Arm& arm : route->arms())
      if (arm.to.model == model) json.value(arm.name);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_tensors(JsonWriter& json, const char* name, const std::vector<TensorSpec>& tensors) {
  json.key(name).begin_array();
  for (const TensorSpec& tensor : tensors) {
    json.begin_object().field("name", tensor.name).field("datatype", dtype_name(tensor.dtype));
    json.key("shape").begin_array();
    for (const int64_t size : tensor.shape) json.value(size);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_advice(JsonWriter& json, const Explanation& explanation, const ModelVersion& version) {
  json.key("advice").begin_array();
  for (const std::string& sentence : advice(explanation, version.definition())) json.value(sentence);
  json.end_array();
}

/// How an entry point runs.
void write_entry(JsonWriter& json, const Explanation& explanation, const ModelVersion& version) {
  json.field("summary", learned_line(explanation));
  json.key("batching").begin_object().field("policy", explanation.policy).field("max_rows", explanation.max_rows);
  json.field("objective_p99_us", microseconds(explanation.objective));
  json.field("unbatched_reason", version.definition().unbatched_reason);
  if (const auto& gathering = explanation.gathering)
    json.key("gathering")
        .begin_object()
        .field("in_flight", gathering->in_flight)
        .field("batches", gathering->batches)
        .field("in_vain", gathering->in_vain)
        .end_object();
  json.end_object();
  json.key("instances").begin_object().field("count", explanation.instances).field("busy", explanation.busy);
  json.key("places").begin_array();
  for (const std::string& place : explanation.places) json.value(place);
  json.end_array();
  if (!explanation.limits.fixed())
    json.field("min", explanation.limits.min)
        .field("max", explanation.limits.max)
        .field("zero_after_us", microseconds(explanation.limits.zero_after))
        .field("last_change", explanation.last_change);
  if (!explanation.held_back.empty()) json.field("held_back", explanation.held_back);
  json.end_object();
  if (explanation.outlook && !explanation.outlook->options.empty()) write_outlook(json, *explanation.outlook);
  if (!explanation.devices.empty()) write_devices(json, explanation.devices);
  json.field("pending", explanation.pending).field("on_loop", explanation.on_loop);
  if (version.definition().response_cache) {
    const VersionStats::View view = version.stats().view();
    json.key("response_cache").begin_object().field("on", explanation.cached);
    json.field("hits", view.cache_hit.count).field("misses", view.cache_miss.count).end_object();
  }
  json.key("learned").begin_array();
  for (const ExplainedCost& cost : explanation.costs) write_cost(json, cost);
  json.end_array();
}

/// The entry points that are asked by their names only.
void write_other_signatures(JsonWriter& json, const ModelVersion& version) {
  json.key("signatures").begin_array();
  for (const auto& [name, entry] : version.other_signatures()) {
    const Explanation explanation = entry->explain();
    json.begin_object().field("name", name).field("method", entry->description().signature_method);
    write_tensors(json, "inputs", entry->signature().inputs);
    write_tensors(json, "outputs", entry->signature().outputs);
    write_entry(json, explanation, *entry);
    write_advice(json, explanation, *entry);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string explain_json(const ModelVersion& version, const Routes* routes) {
  const Explanation explanation = version.explain();
  JsonWriter json;
  json.begin_object().field("model", version.name()).field("version", version.version());
  json.field("backend", version.definition().backend);
  write_entry(json, explanation, version);
  if (const std::string& name = version.description().signature_name; !name.empty()) json.field("signature", name);
  if (!version.other_signatures().empty()) write_other_signatures(json, version);
  if (!explanation.steps.empty()) write_ensemble(json, explanation);
  if (const auto runtimes = version.runtimes()) write_runtimes(json, *runtimes);
  if (routes != nullptr) write_routes(json, *routes, version.name());
  write_advice(json, explanation, version);
  json.end_object();
  return json.take();
}

wire::HttpReply explain(const Catalog& catalog, const Routes* routes, const wire::HttpRequest& request) {
  const Result<ModelPath> named = parse_model_path(request.path);
  if (!named.ok()) return error_reply(named.status());
  std::string model = named->model, asked = named->version;
  if (routes != nullptr && asked.empty())
    if (const auto route = routes->find(model)) {
      model = route->main_arm().to.model;
      asked = route->main_arm().to.version_text();
    }
  const Result<VersionPin> pin = pin_path_version(catalog, model, asked);
  return pin.ok() ? json_reply(200, explain_json(**pin, routes)) : error_reply(pin.status());
}

}  // namespace modelmill::admin
