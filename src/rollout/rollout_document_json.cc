#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/json_text.h"
#include "rollout/rollout_document.h"
#include "state/kept_document.h"
#include "state/kept_fields.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr int64_t kDocumentFormat = 1;
constexpr RolloutPhase kPhases[] = {RolloutPhase::kRunning, RolloutPhase::kPaused, RolloutPhase::kPromoted,
                                    RolloutPhase::kRolledBack, RolloutPhase::kAborted};

constexpr RolloutWishState kWishStates[] = {RolloutWishState::kWaiting,    RolloutWishState::kRunning,
                                            RolloutWishState::kReached,    RolloutWishState::kPromoted,
                                            RolloutWishState::kRolledBack, RolloutWishState::kAborted};

/// Pairs of a bucket and its count, one after the other.
void write_latency(JsonWriter& json, const LatencyCounts& counts) {
  json.begin_array();
  for (size_t bucket = 0; bucket < counts.size(); ++bucket)
    if (counts[bucket] > 0) json.value(static_cast<uint64_t>(bucket)).value(counts[bucket]);
  json.end_array();
}

void write_counts(JsonWriter& json, const ArmCounts& counts) {
  json.begin_object().field("requests", counts.requests).field("errors", counts.errors).key("latency");
  write_latency(json, counts.latency);
  json.key("compute").begin_object();
  for (const auto& [rows, latency] : counts.compute) write_latency(json.key(std::to_string(rows)), latency);
  json.end_object().field("crashes", counts.crashes).field("memory_bytes", counts.memory_bytes).end_object();
}

void write_route(JsonWriter& json, const char* name, const std::optional<RouteDefinition>& route) {
  json.key(name);
  if (route)
    json.raw(route_json(*route));
  else
    json.null();
}

void write_rollout(JsonWriter& json, const Rollout& rollout) {
  json.begin_object().field("number", rollout.number).field("started_at", rollout.started_at);
  json.field("to", rollout.to.text()).field("from", rollout.from.text());
  json.field("steps", steps_text(rollout.plan.steps)).field("min_requests", rollout.plan.min_requests);
  json.key("gates").begin_array();
  for (const RolloutGate& gate : rollout.plan.gates) json.value(gate.text);
  json.end_array();
  json.key("compare").raw(comparisons_json(rollout.plan.compare));
  write_route(json, "before", rollout.before);
  write_route(json, "wanted", rollout.wanted);
  json.field("is_placed", rollout.is_placed).field("phase", rollout_phase_name(rollout.phase));
  json.field("is_held", rollout.is_held).field("why", rollout.why);
  json.field("step", static_cast<uint64_t>(rollout.step)).field("watched_ms", int64_t{rollout.watched.count()});
  write_counts(json.key("canary"), rollout.window.canary);
  write_counts(json.key("baseline"), rollout.window.baseline);
  const CopyCounts& copies = rollout.window.copies;
  json.key("copies").begin_object().field("compared", copies.compared).field("disagreed", copies.disagreed);
  json.field("failed", copies.failed).field("shed", copies.shed);
  json.field("not_compared", copies.not_compared).end_object();
  json.end_object();
}

/// Of a route; null: there is none.
void read_route(KeptFields& fields, const char* name, std::optional<RouteDefinition>& into) {
  const element value = fields.at(name);
  if (!fields.ok() || value.is_null()) return;
  auto route = parse_route(simdjson::to_string(value));
  fields.require(route.ok());
  if (route.ok()) into = *std::move(route);
}

bool read_latency(const element& value, LatencyCounts& into) {
  simdjson::dom::array pairs;
  if (value.get(pairs) != simdjson::SUCCESS || pairs.size() % 2 != 0) return false;
  for (auto it = pairs.begin(); it != pairs.end(); ++it) {
    uint64_t bucket = 0, count = 0;
    if ((*it).get(bucket) != simdjson::SUCCESS || bucket >= kLatencyHistogramBuckets) return false;
    if ((*++it).get(count) != simdjson::SUCCESS) return false;
    if (into.size() <= bucket) into.resize(bucket + 1);
    into[bucket] = count;
  }
  return true;
}

bool read_counts(const element& value, ArmCounts& into) {
  KeptFields fields(value);
  fields.read("requests", into.requests);
  fields.read("errors", into.errors);
  if (fields.find("crashes")) fields.read("crashes", into.crashes);
  if (fields.find("memory_bytes")) fields.read("memory_bytes", into.memory_bytes);
  simdjson::dom::object compute;
  fields.read("compute", compute);
  const element latency = fields.at("latency");
  if (!fields.ok() || !read_latency(latency, into.latency)) return false;
  return std::all_of(compute.begin(), compute.end(), [&](const simdjson::dom::key_value_pair& item) {
    int64_t rows = 0;
    const char* const end = item.key.data() + item.key.size();
    return std::from_chars(item.key.data(), end, rows).ptr == end && read_latency(item.value, into.compute[rows]);
  });
}

bool read_copies(const element& value, CopyCounts& into) {
  KeptFields fields(value);
  fields.read("compared", into.compared);
  fields.read("disagreed", into.disagreed);
  fields.read("failed", into.failed);
  fields.read("shed", into.shed);
  if (fields.find("not_compared")) fields.read("not_compared", into.not_compared);
  return fields.ok();
}

Status read_plan(const element& value, RolloutPlan& into) {
  KeptFields fields(value);
  fields.read("steps", into.steps, [](std::string_view text) { return parse_steps(text, {}); });
  fields.read("min_requests", into.min_requests);
  simdjson::dom::array gates;
  fields.read("gates", gates);
  if (!fields.ok()) return wrong_kept_field("rollout");
  for (const element gate : gates) {
    std::string_view text;
    if (gate.get(text) != simdjson::SUCCESS) return wrong_kept_field("gates");
    auto parsed = parse_gate(text);
    if (!parsed.ok()) return failed_precondition(parsed.status().message() + " (use the release that wrote it)");
    into.gates.push_back(*std::move(parsed));
  }
  if (const auto compare = fields.find("compare")) {
    auto parsed = parse_comparisons(simdjson::to_string(*compare));
    if (!parsed.ok()) return failed_precondition(parsed.status().message() + " (use the release that wrote it)");
    into.compare = *std::move(parsed);
  }
  return ok_status();
}

Status read_rollout(const element& value, Rollout& into) {
  KeptFields fields(value);
  fields.read("number", into.number);
  fields.read("started_at", into.started_at);
  fields.read("to", into.to, parse_route_target);
  fields.read("from", into.from, parse_route_target);
  if (!fields.ok()) return wrong_kept_field("rollout");
  MM_RETURN_IF_ERROR(read_plan(value, into.plan));
  read_route(fields, "before", into.before);
  read_route(fields, "wanted", into.wanted);
  fields.read("is_placed", into.is_placed);
  std::string phase;
  fields.read("phase", phase);
  const auto* const known = std::find_if(std::begin(kPhases), std::end(kPhases),
                                         [&](RolloutPhase one) { return phase == rollout_phase_name(one); });
  fields.require(known != std::end(kPhases));
  if (fields.ok()) into.phase = *known;
  fields.read("is_held", into.is_held);
  fields.read("why", into.why);
  uint64_t step = 0;
  int64_t watched = 0;
  fields.read("step", step);
  fields.read("watched_ms", watched);
  fields.require(step < into.plan.steps.size());
  const element canary = fields.at("canary"), baseline = fields.at("baseline");
  if (!fields.ok()) return wrong_kept_field("rollout");
  into.step = step;
  into.watched = std::chrono::milliseconds(watched);
  const auto copies = fields.find("copies");
  if (!read_counts(canary, into.window.canary) || !read_counts(baseline, into.window.baseline) ||
      (copies && !read_copies(*copies, into.window.copies)))
    return wrong_kept_field("rollout");
  return ok_status();
}

Status read_entry(const element& value, RolloutEntry& into) {
  KeptFields fields(value);
  fields.read("number", into.number);
  fields.read("rollout", into.rollout);
  fields.read("at", into.at);
  fields.read("what", into.what);
  fields.read("by", into.by);
  fields.read("why", into.why);
  fields.read("percent", into.percent);
  const element numbers = fields.at("numbers");
  if (!fields.ok()) return wrong_kept_field("history");
  into.numbers = simdjson::to_string(numbers);
  return ok_status();
}

Status read_wish(const element& value, RolloutWish& into) {
  KeptFields fields(value);
  fields.read("plan", into.plan);
  fields.read("file", into.file);
  fields.read("place", into.place);
  fields.read_named("state", kWishStates, rollout_wish_state_name, into.state);
  fields.read("rollout", into.rollout);
  fields.read("why", into.why);
  return fields.ok() ? ok_status() : wrong_kept_field("wish");
}

Status read_field(std::string_view key, const element& value, RolloutDocument& into) {
  if (key == "format") return ok_status();
  if (key == "wish") return read_wish(value, into.wish.emplace());
  if (key == "rollout") return read_rollout(value, into.last.emplace());
  if (key != "history") return unknown_kept_field(key);
  simdjson::dom::array entries;
  if (value.get(entries) != simdjson::SUCCESS) return wrong_kept_field("history");
  for (const element entry : entries) MM_RETURN_IF_ERROR(read_entry(entry, into.entries.emplace_back()));
  return ok_status();
}

}  // namespace

std::string rollout_document_text(const RolloutDocument& document) {
  JsonWriter json;
  json.begin_object().field("format", kDocumentFormat);
  if (document.last) write_rollout(json.key("rollout"), *document.last);
  if (document.wish) {
    json.key("wish").begin_object().field("plan", document.wish->plan).field("file", document.wish->file);
    json.field("place", document.wish->place).field("state", rollout_wish_state_name(document.wish->state));
    json.field("rollout", document.wish->rollout).field("why", document.wish->why).end_object();
  }
  json.key("history").begin_array();
  for (const RolloutEntry& entry : document.entries) {
    json.begin_object().field("number", entry.number).field("rollout", entry.rollout).field("at", entry.at);
    json.field("what", entry.what).field("by", entry.by).field("why", entry.why).field("percent", entry.percent);
    json.key("numbers").raw(entry.numbers).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

Result<RolloutDocument> parse_rollout_document(const std::string& text) {
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::object object, open_kept_document(parser, text, kDocumentFormat));
  RolloutDocument document;
  for (const auto& [key, value] : object) MM_RETURN_IF_ERROR(read_field(key, value, document));
  return document;
}

}  // namespace modelmill
