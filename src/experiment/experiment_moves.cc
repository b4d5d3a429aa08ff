#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "experiment/experiment_keeper.h"
#include "model/route_assignment.h"
#include "rollout/rollout_document.h"
#include "state/entry_name.h"

// What ExperimentKeeper does about an experiment, by itself or by somebody's word.

namespace modelmill {
namespace {

/// Of a change that other processes are faster than, again and again.
constexpr int kAttempts = 16;
constexpr size_t kMostArms = 10;
constexpr const char* kItself = "modelmill";

std::string what(const std::string& name) { return "experiment '" + name + "'"; }

/// The arms of a route between which its users are split.
Result<std::vector<ExperimentArm>> arms_of(const RouteDefinition& route) {
  std::vector<ExperimentArm> arms;
  for (const RouteArm& arm : route.split)
    if (arm.percent > 0) arms.push_back({arm.to.text(), arm.percent / 100});
  const std::string name = "route '" + route.name + "'";
  if (arms.size() < 2)
    return failed_precondition(name + " gives all to '" + arms.at(0).name +
                               "'; an experiment compares the arms of a split, so give it two or more");
  if (arms.size() > kMostArms)
    return failed_precondition(name + " has " + std::to_string(arms.size()) + " arms; " + std::to_string(kMostArms) +
                               " are the most that an experiment compares");
  return arms;
}

Result<size_t> arm_named(const std::vector<ExperimentArm>& arms, const std::string& name) {
  std::string known;
  for (size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].name == name) return i;
    known += (i == 0 ? "" : ", ") + arms[i].name;
  }
  return invalid_argument("'" + name + "' is none of the arms: " + known);
}

/// {"arm": "m@2"}, or nothing.
Result<std::string> arm_asked(std::string_view request) {
  if (request.empty()) return std::string();
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(request.data(), request.size()).get(object) != simdjson::SUCCESS)
    return invalid_argument("the body must be empty, for the winner, or a JSON object such as {\"arm\": \"m@2\"}");
  std::string_view arm;
  for (const auto& [key, value] : object) {
    if (key != "arm") return invalid_argument("unknown key '" + std::string(key) + "'; there is only 'arm'");
    if (value.get(arm) != simdjson::SUCCESS) return invalid_argument("'arm' must be the name of an arm");
  }
  return std::string(arm);
}

}  // namespace

Result<ExperimentKeeper::Record> ExperimentKeeper::running(const std::string& name) {
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (!record.document.last) return not_found("there has been no " + what(name));
  if (!record.document.last->is_active())
    return failed_precondition("the " + what(name) + " is " + experiment_phase_name(record.document.last->phase) +
                               " already");
  return record;
}

/// A conclusion stays: looking on could only find another by chance. An alarm takes its place, as it tells that the
/// conclusion was none.
Status ExperimentKeeper::decide_for(const std::string& name, Record& record, Run& run) {
  Experiment& experiment = *record.document.last;
  const ExperimentReading reading =
      read_experiment(experiment.definition, experiment.arms, experiment.control, run.users->totals());
  const bool was_concluded = experiment.verdict != ExperimentVerdict::kRunning;
  const bool is_alarm =
      reading.verdict == ExperimentVerdict::kGuardrailBreach || reading.verdict == ExperimentVerdict::kSampleRatio;
  const bool is_news =
      was_concluded ? is_alarm && reading.verdict > experiment.verdict : reading.verdict != ExperimentVerdict::kRunning;
  if (is_news) {
    experiment.verdict = reading.verdict;
    experiment.verdict_arm = reading.arm;
    experiment.why = reading.why;
    experiment.decided_at = options_.now();
    Log::info("experiment: " + std::string(experiment_verdict_name(reading.verdict)),
              {{"experiment", name}, {"arm", experiment.arms[reading.arm].name}, {"reason", reading.why}});
    MM_RETURN_IF_ERROR(records_.put(name, record).with_context(what(name)));
  }
  if (experiment.verdict != ExperimentVerdict::kWinner || !experiment.definition.deploys_winner) return ok_status();
  // What was changed by hand since is not changed by a rule.
  if (!note_of(experiment).empty()) return ok_status();
  return finish(name, record, ExperimentPhase::kDeployed, experiment.arms[experiment.verdict_arm].name, kItself);
}

Status ExperimentKeeper::place(const std::string& name, Record& record) {
  const Experiment& experiment = *record.document.last;
  const auto history = routes_.history(experiment.definition.route);
  MM_ASSIGN_OR_RETURN(const RouteTarget arm, parse_route_target(experiment.deployed));
  if (history.ok() && history->route())
    MM_RETURN_IF_ERROR(
        routes_.set(with_share(*history->route(), arm, 100), what(name)).status().with_context(what(name)));
  const uint64_t number = experiment.number;
  Status put;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    record.document.last->is_placed = true;
    put = records_.put(name, record);
    if (put.code() != Code::kAborted) break;
    // The one that decides may have placed it in the meantime, or a wish of it may have changed.
    MM_ASSIGN_OR_RETURN(record, records_.get(name));
    if (!record.document.last || record.document.last->number != number || record.document.last->is_placed)
      return ok_status();
  }
  return put.with_context(what(name));
}

Status ExperimentKeeper::finish(const std::string& name, Record& record, ExperimentPhase phase, const std::string& arm,
                                const std::string& by) {
  Experiment& experiment = *record.document.last;
  // What can't be read or written any more must not keep it from ending.
  if (const auto run = run_of(name, experiment); run.ok() && gather(name, experiment, **run, /*all=*/true).ok())
    experiment.results = experiment_results_json(experiment, *(*run)->users);
  else
    Log::warning("an experiment ends without its last numbers", {{"experiment", name}});
  experiment.phase = phase;
  experiment.ended_at = options_.now();
  experiment.ended_by = by;
  experiment.deployed = arm;
  experiment.is_placed = arm.empty();
  if (auto& wish = record.document.wish; wish && wish->experiment == experiment.number)
    wish->state = phase == ExperimentPhase::kDeployed ? ExperimentWishState::kDeployed : ExperimentWishState::kStopped;
  MM_RETURN_IF_ERROR(records_.put(name, record).with_context(what(name)));
  Log::info("experiment: " + std::string(experiment_phase_name(phase)),
            {{"experiment", name}, {"arm", arm}, {"by", by}});
  Status placed = experiment.is_placed ? ok_status() : place(name, record);
  if (placed.ok())
    forget(name, experiment.number);
  else
    watched_.try_emplace(name);  // looks try again
  return placed;
}

void ExperimentKeeper::forget(const std::string& name, uint64_t number) {
  runs_.erase(name);
  watched_.erase(name);
  remove_files(name, number);
  records_.release(name);
}

void ExperimentKeeper::remove_files(const std::string& name, uint64_t number) {
  if (options_.folder.empty()) return;
  const auto files = ExperimentFiles::of(options_.folder, name, number);
  if (!files.ok()) return;
  if (records_.hold(name))
    files->remove();
  else
    files->remove_parts(options_.replica);
}

Status ExperimentKeeper::check_free(const std::string& name, const std::string& route) {
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  for (const auto& [other, record] : all)
    if (other != name && record.document.last && record.document.last->is_active() &&
        record.document.last->definition.route == route)
      return failed_precondition("the " + what(other) + " runs on the route '" + route +
                                 "' already; stop it, or wait for its end");
  return ok_status();
}

Status ExperimentKeeper::begin(const std::string& name, const ExperimentDefinition& definition, Record& record,
                               const std::string& by, bool wished) {
  ExperimentDocument& document = record.document;
  if (document.last && document.last->is_active())
    return failed_precondition("the " + what(name) + " runs already; stop it, or take another name");
  MM_RETURN_IF_ERROR(check_free(name, definition.route));
  const auto history = routes_.history(definition.route);
  if (!history.ok() || !history->route())
    return not_found("there is no route '" + definition.route +
                     "'; an experiment stands on a route that splits its "
                     "users, see modelmill route set");
  const RouteDefinition& route = *history->route();
  Experiment experiment;
  experiment.number = document.last ? document.last->number + 1 : 1;
  experiment.started_at = options_.now();
  experiment.started_by = by;
  experiment.definition = definition;
  MM_ASSIGN_OR_RETURN(experiment.arms, arms_of(route));
  if (definition.control.empty()) {
    const auto largest = std::max_element(experiment.arms.begin(), experiment.arms.end(),
                                          [](const auto& a, const auto& b) { return a.share < b.share; });
    experiment.control = static_cast<size_t>(largest - experiment.arms.begin());
  } else {
    MM_ASSIGN_OR_RETURN(experiment.control, arm_named(experiment.arms, definition.control));
  }
  experiment.definition.control = experiment.arms[experiment.control].name;
  experiment.assignment = assignment_hash(route);
  experiment.by_request = !route.sticky.has_value();
  document.last = std::move(experiment);
  if (records_.hold(name)) remove_files(name, document.last->number);  // of one whose document is lost
  if (wished) {
    document.wish->state = ExperimentWishState::kRunning;
    document.wish->experiment = document.last->number;
    document.wish->why.clear();
  }
  MM_RETURN_IF_ERROR(records_.put(name, record).with_context(what(name)));
  Log::info("experiment: start", {{"experiment", name}, {"route", definition.route}, {"by", by}});
  watched_.try_emplace(name);
  MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, *document.last));
  return count(name, *document.last, *run);
}

Result<std::string> ExperimentKeeper::start(const std::string& name, std::string_view request, const std::string& by) {
  MM_ASSIGN_OR_RETURN(const ExperimentDefinition definition, parse_experiment_request(request));
  MM_RETURN_IF_ERROR(entry_name(name).status());
  const MutexLock lock(mutex_);
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
    status = begin(name, definition, record, by, /*wished=*/false);
    if (status.code() != Code::kAborted) break;
  }
  MM_RETURN_IF_ERROR(status);
  return shown(name);
}

Result<std::string> ExperimentKeeper::deploy(const std::string& name, std::string_view request, const std::string& by) {
  MM_ASSIGN_OR_RETURN(const std::string asked, arm_asked(request));
  const MutexLock lock(mutex_);
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MM_ASSIGN_OR_RETURN(Record record, running(name));
    const Experiment& experiment = *record.document.last;
    size_t arm = experiment.verdict_arm;
    if (!asked.empty()) {
      MM_ASSIGN_OR_RETURN(arm, arm_named(experiment.arms, asked));
    } else if (experiment.verdict != ExperimentVerdict::kWinner) {
      return failed_precondition("the " + what(name) + " has no winner (" +
                                 experiment_verdict_name(experiment.verdict) + "); name the arm to deploy");
    }
    const auto history = routes_.history(experiment.definition.route);
    if (!history.ok() || !history->route())
      return failed_precondition("the route '" + experiment.definition.route + "' is gone; bring it back first");
    status = finish(name, record, ExperimentPhase::kDeployed, experiment.arms[arm].name, by);
    if (status.code() != Code::kAborted) break;
  }
  MM_RETURN_IF_ERROR(status);
  return shown(name);
}

Result<std::string> ExperimentKeeper::stop(const std::string& name, const std::string& by) {
  const MutexLock lock(mutex_);
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    MM_ASSIGN_OR_RETURN(Record record, running(name));
    status = finish(name, record, ExperimentPhase::kStopped, "", by);
    if (status.code() != Code::kAborted) break;
  }
  MM_RETURN_IF_ERROR(status);
  return shown(name);
}

}  // namespace modelmill
