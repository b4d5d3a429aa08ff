#include "experiment/experiment_view.h"

#include "base/json_text.h"

namespace modelmill {
namespace {

void write_interval(JsonWriter& json, const DifferenceInterval& interval) {
  json.key("difference");
  if (!interval.is_known) {
    json.null();
    return;
  }
  json.begin_object().field("value", interval.difference).field("low", interval.low).field("high", interval.high);
  json.end_object();
}

void write_totals(JsonWriter& json, const ExperimentMetric& metric, const ArmTotals& arm, size_t index) {
  const ValueTotals& totals = arm.metrics[index];
  json.field(metric.is_binary ? "rate" : "mean", totals.mean).field("variance", totals.variance());
  json.field("so_far", arm.so_far[index]);
}

void write_arms(JsonWriter& json, const Experiment& experiment, const ExposedUsers& users,
                const ExperimentReading& reading) {
  json.key("arms").begin_array();
  for (size_t i = 0; i < experiment.arms.size(); ++i) {
    const ArmTotals& arm = users.totals()[i];
    json.begin_object().field("arm", experiment.arms[i].name).field("share", experiment.arms[i].share);
    json.field("control", i == experiment.control).field("exposed", arm.exposed).field("counted", arm.counted());
    write_totals(json, experiment.definition.goal, arm, 0);
    write_interval(json, reading.differences[i]);
    json.end_object();
  }
  json.end_array();
}

void write_guardrails(JsonWriter& json, const Experiment& experiment, const ExposedUsers& users,
                      const ExperimentReading& reading) {
  json.key("guardrails").begin_array();
  for (const GuardrailReading& one : reading.guardrails) {
    const ExperimentGuardrail& guardrail = experiment.definition.guardrails[one.guardrail];
    json.begin_object().field("guardrail", guardrail.text).field("arm", experiment.arms[one.arm].name);
    json.field("state", guardrail_state_name(one.state));
    write_totals(json, guardrail.metric, users.totals()[one.arm], one.guardrail + 1);
    write_interval(json, one.interval);
    json.end_object();
  }
  json.end_array();
}

void write_experiment_state(JsonWriter& json, const Experiment& experiment) {
  const bool has_arm =
      experiment.verdict == ExperimentVerdict::kWinner || experiment.verdict == ExperimentVerdict::kGuardrailBreach;
  json.field("number", experiment.number);
  json.field("route", experiment.definition.route).field("state", experiment_phase_name(experiment.phase));
  json.field("decision", experiment_verdict_name(experiment.verdict)).key("arm");
  if (has_arm)
    json.value(experiment.arms[experiment.verdict_arm].name);
  else
    json.null();
  json.field("why", experiment.why).field("started_at", experiment.started_at);
  json.field("started_by", experiment.started_by).field("decided_at", experiment.decided_at);
  json.field("ended_at", experiment.ended_at).field("ended_by", experiment.ended_by);
  json.field("deployed", experiment.deployed).field("unit", experiment.by_request ? "request" : "user");
  json.key("definition").raw(experiment_request_json(experiment.definition));
}

/// Where a wish is all there is, it stands for the experiment. The object is left open.
void write_document(JsonWriter& json, const std::string& name, const ExperimentDocument& document) {
  const auto& wish = document.wish;
  json.begin_object().field("name", name);
  if (document.last) {
    write_experiment_state(json, *document.last);
  } else if (wish) {
    const auto definition = parse_experiment_request(wish->plan);
    json.field("number", 0).field("route", definition.ok() ? definition->route : std::string());
    json.field("state", experiment_wish_state_name(wish->state)).field("why", wish->why);
  }
  json.key("wish");
  if (wish && !wish->file.empty()) {
    json.begin_object().field("place", wish->place).key("plan").raw(wish->plan);
    json.field("state", experiment_wish_state_name(wish->state)).field("why", wish->why);
    json.field("experiment", wish->experiment).end_object();
  } else {
    json.null();
  }
}

}  // namespace

const char* experiment_count_name(ExperimentCount which) {
  switch (which) {
    case ExperimentCount::kAccepted: return "accepted";
    case ExperimentCount::kDuplicate: return "duplicate";
    case ExperimentCount::kUnknown: return "unknown";
    case ExperimentCount::kLate: return "late";
    case ExperimentCount::kKeyless: return "keyless";
    case ExperimentCount::kFull: return "full";
  }
  return "";
}

std::string experiment_results_json(const Experiment& experiment, const ExposedUsers& users) {
  const ExperimentReading reading =
      read_experiment(experiment.definition, experiment.arms, experiment.control, users.totals(), /*with_power=*/true);
  JsonWriter json;
  json.begin_object().field("waiting", static_cast<uint64_t>(users.waiting())).field("full", users.is_full());
  json.field("now", experiment_verdict_name(reading.verdict)).field("why", reading.why);
  write_arms(json, experiment, users, reading);
  write_guardrails(json, experiment, users, reading);
  json.key("sample_ratio").begin_object().field("evidence", reading.ratio_evidence);
  json.field("alarm", reading.verdict == ExperimentVerdict::kSampleRatio).end_object().key("power");
  if (reading.power >= 0)
    json.value(reading.power);
  else
    json.null();
  json.key("counts").begin_object();
  for (int i = 0; i < kExperimentCounts; ++i) {
    const auto which = static_cast<ExperimentCount>(i);
    json.field(experiment_count_name(which), users.count(which));
  }
  json.end_object().end_object();
  return json.take();
}

std::string experiment_json(const std::string& name, const ExperimentDocument& document, const std::string& results,
                            const std::string& note) {
  JsonWriter json;
  write_document(json, name, document);
  const bool is_old = results.empty() && document.last;
  json.field("note", note).key("results");
  if (const std::string& last = is_old ? document.last->results : results; !last.empty())
    json.raw(last);
  else
    json.null();
  return json.end_object().take();
}

std::string experiment_list_json(const std::map<std::string, ExperimentRecords::Record>& all) {
  JsonWriter json;
  json.begin_object().key("experiments").begin_array();
  for (const auto& [name, record] : all) {
    if (!record.document.last && !record.document.wish) continue;
    write_document(json, name, record.document);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

std::string outcome_counts_json(const std::map<ExperimentCount, uint64_t>& counts, uint64_t deferred) {
  JsonWriter json;
  json.begin_object();
  for (const ExperimentCount which :
       {ExperimentCount::kAccepted, ExperimentCount::kDuplicate, ExperimentCount::kUnknown, ExperimentCount::kLate}) {
    const auto it = counts.find(which);
    json.field(experiment_count_name(which), it == counts.end() ? uint64_t{0} : it->second);
  }
  json.field("deferred", deferred).end_object();
  return json.take();
}

}  // namespace modelmill
