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

void write_layout(JsonWriter& json, const RuntimeLayout& layout) {
  json.field("backend", layout.backend).field("threads", layout.threads).field("instances", layout.instances);
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

}  // namespace

std::string explain_json(const ModelVersion& version, const Routes* routes) {
  const Explanation explanation = version.explain();
  JsonWriter json;
  json.begin_object().field("model", version.name()).field("version", version.version());
  json.field("backend", version.definition().backend).field("summary", learned_line(explanation));
  json.key("batching").begin_object().field("policy", explanation.policy).field("max_rows", explanation.max_rows);
  json.field("objective_p99_us", microseconds(explanation.objective));
  json.field("unbatched_reason", version.definition().unbatched_reason).end_object();
  json.key("instances").begin_object().field("count", explanation.instances).field("busy", explanation.busy);
  json.key("places").begin_array();
  for (const std::string& place : explanation.places) json.value(place);
  json.end_array();
  if (!explanation.limits.fixed())
    json.field("min", explanation.limits.min)
        .field("max", explanation.limits.max)
        .field("zero_after_us", microseconds(explanation.limits.zero_after))
        .field("last_change", explanation.last_change);
  json.end_object();
  json.field("pending", explanation.pending).field("on_loop", explanation.on_loop);
  json.key("learned").begin_array();
  for (const ExplainedCost& cost : explanation.costs) write_cost(json, cost);
  json.end_array();
  if (const auto runtimes = version.runtimes()) write_runtimes(json, *runtimes);
  if (routes != nullptr) write_routes(json, *routes, version.name());
  json.key("advice").begin_array();
  for (const std::string& sentence : advice(explanation, version.definition())) json.value(sentence);
  json.end_array().end_object();
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
