#include "rollout/rollout_view.h"

#include "base/json_text.h"
#include "rollout/rollout_copies.h"
#include "rollout/rollout_request.h"

namespace modelmill {
namespace {

void write_arm(JsonWriter& json, const RouteTarget& arm, const ArmCounts& counts) {
  const double rate =
      counts.requests == 0 ? 0 : static_cast<double>(counts.errors) / static_cast<double>(counts.requests);
  json.begin_object().field("arm", arm.text()).field("requests", counts.requests).field("errors", counts.errors);
  json.field("error_rate", rate).field("p50_us", quantile_us(counts.latency, 0.5));
  json.field("p99_us", quantile_us(counts.latency, 0.99));
  json.field("crashes", counts.crashes).field("memory_bytes", counts.memory_bytes).end_object();
}

/// Null where nothing is copied.
void write_copies(JsonWriter& json, const Rollout& rollout) {
  const auto shadow = shadow_at(rollout, rollout.step);
  if (!shadow) {
    json.null();
    return;
  }
  const CopyCounts& copies = rollout.window.copies;
  const double share =
      copies.compared == 0 ? 0 : static_cast<double>(copies.disagreed) / static_cast<double>(copies.compared);
  json.begin_object().field("to", shadow->to.text()).field("of", shadow->of->text());
  json.field("percent", copied_percent(rollout, rollout.step)).field("cost", copies_cost_now_text(rollout));
  json.field("compared", copies.compared).field("disagreed", copies.disagreed).field("disagreement", share);
  json.field("failed", copies.failed).field("shed", copies.shed).field("not_compared", copies.not_compared);
  json.end_object();
}

void write_numbers(JsonWriter& json, const Rollout& rollout) {
  write_arm(json.key("canary"), rollout.to, rollout.window.canary);
  write_arm(json.key("baseline"), rollout.from, rollout.window.baseline);
  write_copies(json.key("copies"), rollout);
  json.key("gates").begin_array();
  for (const GateReading& reading : decide(rollout.plan, rollout.step, false, rollout.window).readings) {
    json.begin_object().field("gate", reading.gate);
    json.field("state", reading.breached ? "breached" : reading.proven ? "proven" : "open");
    json.field("text", reading.text).end_object();
  }
  json.end_array();
}

void write_rollout_state(JsonWriter& json, const Rollout& rollout) {
  json.field("number", rollout.number);
  json.field("state", rollout_phase_name(rollout.phase)).field("held", rollout.is_held).field("why", rollout.why);
  json.field("to", rollout.to.text()).field("from", rollout.from.text());
  json.field("started_at", rollout.started_at).field("steps", steps_text(rollout.plan.steps));
  json.field("step", static_cast<uint64_t>(rollout.step + 1)).field("shadow", rollout.is_at_shadow());
  json.field("percent", rollout.percent());
  json.field("hold", hold_text(rollout.plan.steps[rollout.step].hold));
  json.field("watched_seconds", static_cast<double>(rollout.watched.count()) / 1e3);
  json.field("min_requests", rollout.plan.min_requests);
  json.key("compare").raw(comparisons_json(rollout.plan.compare));
  write_numbers(json, rollout);
}

/// Where a wish is all there is, it stands for the rollout.
void write_document(JsonWriter& json, const std::string& name, const RolloutDocument& document) {
  const auto& wish = document.wish;
  json.begin_object().field("name", name);
  if (document.last) {
    write_rollout_state(json, *document.last);
  } else if (wish) {
    const auto request = parse_rollout_request(wish->plan);
    json.field("number", 0).field("state", rollout_wish_state_name(wish->state)).field("why", wish->why);
    json.field("to", request.ok() ? request->to : std::string()).field("from", request.ok() ? request->from : "");
  }
  json.key("wish");
  if (wish && !wish->file.empty()) {
    json.begin_object().field("place", wish->place).key("plan").raw(wish->plan);
    json.field("state", rollout_wish_state_name(wish->state)).field("why", wish->why);
    json.field("rollout", wish->rollout).end_object();
  } else {
    json.null();
  }
  json.end_object();
}

}  // namespace

std::string rollout_numbers_json(const Rollout& rollout) {
  JsonWriter json;
  json.begin_object();
  write_numbers(json, rollout);
  json.end_object();
  return json.take();
}

std::string rollout_json(const std::string& name, const RolloutDocument& document) {
  JsonWriter json;
  write_document(json, name, document);
  return json.take();
}

std::string rollout_list_json(const std::map<std::string, RolloutRecords::Record>& all) {
  JsonWriter json;
  json.begin_object().key("rollouts").begin_array();
  for (const auto& [name, record] : all)
    if (record.document.last || record.document.wish) write_document(json, name, record.document);
  json.end_array().end_object();
  return json.take();
}

std::string rollout_history_json(const std::string& name, const RolloutDocument& document) {
  JsonWriter json;
  json.begin_object().field("name", name).key("history").begin_array();
  for (auto entry = document.entries.rbegin(); entry != document.entries.rend(); ++entry) {
    json.begin_object().field("number", entry->number).field("rollout", entry->rollout).field("at", entry->at);
    json.field("what", entry->what).field("by", entry->by).field("why", entry->why).field("percent", entry->percent);
    json.key("numbers").raw(entry->numbers).end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace modelmill
