#include "experiment/experiment_document.h"

#include <simdjson.h>

#include "base/json_text.h"
#include "state/kept_document.h"
#include "state/kept_fields.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr int64_t kFormat = 1;
constexpr ExperimentPhase kPhases[] = {ExperimentPhase::kRunning, ExperimentPhase::kDeployed,
                                       ExperimentPhase::kStopped};
constexpr ExperimentVerdict kVerdicts[] = {ExperimentVerdict::kRunning, ExperimentVerdict::kNoDifference,
                                           ExperimentVerdict::kWinner, ExperimentVerdict::kGuardrailBreach,
                                           ExperimentVerdict::kSampleRatio};

void write_experiment(JsonWriter& json, const Experiment& experiment) {
  json.begin_object().field("number", experiment.number).field("started_at", experiment.started_at);
  json.field("started_by", experiment.started_by);
  json.key("definition").raw(experiment_request_json(experiment.definition)).key("arms").begin_array();
  for (const ExperimentArm& arm : experiment.arms)
    json.begin_object().field("arm", arm.name).field("share", arm.share).end_object();
  json.end_array().field("control", static_cast<uint64_t>(experiment.control));
  json.field("assignment", experiment.assignment).field("by_request", experiment.by_request);
  json.field("phase", experiment_phase_name(experiment.phase));
  json.field("verdict", experiment_verdict_name(experiment.verdict));
  json.field("verdict_arm", static_cast<uint64_t>(experiment.verdict_arm)).field("why", experiment.why);
  json.field("decided_at", experiment.decided_at).field("ended_at", experiment.ended_at);
  json.field("ended_by", experiment.ended_by).field("deployed", experiment.deployed);
  json.field("is_placed", experiment.is_placed).key("results");
  if (experiment.results.empty())
    json.null();
  else
    json.raw(experiment.results);
  json.end_object();
}

Status read_experiment(const element& value, Experiment& into) {
  KeptFields fields(value);
  fields.read("number", into.number);
  fields.read("started_at", into.started_at);
  fields.read("started_by", into.started_by);
  const element definition = fields.at("definition");
  simdjson::dom::array arms;
  fields.read("arms", arms);
  if (!fields.ok()) return wrong_kept_field("experiment");
  auto parsed = parse_experiment_request(std::string(simdjson::minify(definition)));
  if (!parsed.ok()) return failed_precondition(parsed.status().message() + " (use the release that wrote it)");
  into.definition = *std::move(parsed);
  for (const element arm : arms) {
    KeptFields of_arm(arm);
    ExperimentArm& one = into.arms.emplace_back();
    of_arm.read("arm", one.name);
    of_arm.read("share", one.share);
    if (!of_arm.ok()) return wrong_kept_field("arms");
  }
  fields.read_index("control", into.arms.size(), into.control);
  fields.read("assignment", into.assignment);
  fields.read("by_request", into.by_request);
  fields.read_named("phase", kPhases, experiment_phase_name, into.phase);
  fields.read_named("verdict", kVerdicts, experiment_verdict_name, into.verdict);
  fields.read_index("verdict_arm", into.arms.size(), into.verdict_arm);
  fields.read("why", into.why);
  fields.read("decided_at", into.decided_at);
  fields.read("ended_at", into.ended_at);
  fields.read("ended_by", into.ended_by);
  fields.read("deployed", into.deployed);
  fields.read("is_placed", into.is_placed);
  const element results = fields.at("results");
  if (!fields.ok()) return wrong_kept_field("experiment");
  if (!results.is_null()) into.results = simdjson::minify(results);
  return ok_status();
}

constexpr ExperimentWishState kWishStates[] = {ExperimentWishState::kWaiting, ExperimentWishState::kRunning,
                                               ExperimentWishState::kDeployed, ExperimentWishState::kStopped};

void write_wish(JsonWriter& json, const ExperimentWish& wish) {
  json.begin_object().field("plan", wish.plan).field("file", wish.file).field("place", wish.place);
  json.field("state", experiment_wish_state_name(wish.state)).field("experiment", wish.experiment);
  json.field("why", wish.why).end_object();
}

Status read_wish(const element& value, ExperimentWish& into) {
  KeptFields fields(value);
  fields.read("plan", into.plan);
  fields.read("file", into.file);
  fields.read("place", into.place);
  fields.read_named("state", kWishStates, experiment_wish_state_name, into.state);
  fields.read("experiment", into.experiment);
  fields.read("why", into.why);
  return fields.ok() ? ok_status() : wrong_kept_field("wish");
}

}  // namespace

const char* experiment_wish_state_name(ExperimentWishState state) {
  switch (state) {
    case ExperimentWishState::kWaiting: return "waiting";
    case ExperimentWishState::kRunning: return "running";
    case ExperimentWishState::kDeployed: return "deployed";
    case ExperimentWishState::kStopped: return "stopped";
  }
  return "";
}

const char* experiment_phase_name(ExperimentPhase phase) {
  switch (phase) {
    case ExperimentPhase::kRunning: return "running";
    case ExperimentPhase::kDeployed: return "deployed";
    case ExperimentPhase::kStopped: return "stopped";
  }
  return "";
}

std::string experiment_document_text(const ExperimentDocument& document) {
  JsonWriter json;
  json.begin_object().field("format", kFormat);
  if (document.last) write_experiment(json.key("experiment"), *document.last);
  if (document.wish) write_wish(json.key("wish"), *document.wish);
  json.end_object();
  return json.take();
}

Result<ExperimentDocument> parse_experiment_document(const std::string& text) {
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::object object, open_kept_document(parser, text, kFormat));
  ExperimentDocument document;
  for (const auto& [key, value] : object) {
    if (key == "format") continue;
    if (key == "wish")
      MM_RETURN_IF_ERROR(read_wish(value, document.wish.emplace()));
    else if (key == "experiment")
      MM_RETURN_IF_ERROR(read_experiment(value, document.last.emplace()));
    else
      return unknown_kept_field(key);
  }
  return document;
}

}  // namespace modelmill
