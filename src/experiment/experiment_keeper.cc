#include "experiment/experiment_keeper.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/private_file.h"
#include "base/stable_hash.h"
#include "experiment/outcome_request.h"
#include "model/route_assignment.h"
#include "state/entry_name.h"

// How ExperimentKeeper looks and counts; what it does about an experiment is in experiment_moves.cc.

namespace modelmill {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(200);
/// How much of what was counted a crash of the machine loses; one of the process loses none that was written.
constexpr Duration kSync = std::chrono::seconds(2);
/// How often experiments are looked for that other processes have begun.
constexpr Duration kFind = std::chrono::seconds(2);
/// A journal is written anew when it has so many events more than twice what they come to.
constexpr uint64_t kSpareEvents = 100'000;

}  // namespace

ExperimentKeeper::ExperimentKeeper(RouteControl& routes, MetricRegistry& metrics, Options options)
    : routes_(routes), metrics_(metrics), options_(std::move(options)), records_(options_.store) {}

ExperimentKeeper::~ExperimentKeeper() { stop(); }

void ExperimentKeeper::begin_looking() {
  steward_.every(kLook, [this](TimePoint) { look(); });
  steward_.start();
}

void ExperimentKeeper::stop() { steward_.stop(); }

void ExperimentKeeper::look() {
  const MutexLock lock(mutex_);
  const TimePoint now = options_.time->now();
  if (listed_at_ == TimePoint{} || now - listed_at_ >= kFind) {
    listed_at_ = now;
    if (const Status status = find_experiments(); !status.ok())
      Log::error("experiments can't be read", {{"reason", status.message()}});
  }
  std::vector<std::string> names;
  for (const auto& [name, problem] : watched_) names.push_back(name);
  for (const std::string& name : names) {
    const Status status = look_at(name);
    const auto it = watched_.find(name);
    if (it == watched_.end()) continue;
    // Another process was faster: the next look sees what it did.
    const std::string problem = status.code() == Code::kAborted ? "" : status.message();
    if (!problem.empty() && it->second != problem)
      Log::error("an experiment can't go on", {{"experiment", name}, {"reason", problem}});
    it->second = problem;
  }
}

Status ExperimentKeeper::find_experiments() {
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  for (const auto& [name, record] : all)
    if (record.document.last && (record.document.last->is_active() || !record.document.last->is_placed))
      watched_.try_emplace(name);
  for (const auto& [name, kept] : all) {
    if (!wished_.contains(name)) continue;  // a file of another process wants it
    Record record = kept;
    const Status status = try_wish(name, record);
    if (!status.ok() && status.code() != Code::kAborted)
      Log::error("an experiment that a file wants can't be tried",
                 {{"experiment", name}, {"reason", status.message()}});
  }
  return ok_status();
}

Status ExperimentKeeper::look_at(const std::string& name) {
  if (!records_.hold(name)) {
    runs_.erase(name);  // what is counted here is nobody's
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (record.document.last && !record.document.last->is_placed) MM_RETURN_IF_ERROR(place(name, record));
  if (!record.document.last || !record.document.last->is_active()) {
    runs_.erase(name);
    watched_.erase(name);
    records_.release(name);
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, *record.document.last));
  MM_RETURN_IF_ERROR(count(name, *record.document.last, *run));
  MM_RETURN_IF_ERROR(keep_safe(*run));
  return decide_for(name, record, *run);
}

Result<std::string> ExperimentKeeper::journal_file(const std::string& name, uint64_t number) const {
  if (options_.folder.empty()) return std::string();
  MM_ASSIGN_OR_RETURN(const std::string entry, entry_name(name));
  return options_.folder + "/" + entry + "." + std::to_string(number) + ".journal";
}

Result<ExperimentKeeper::Run*> ExperimentKeeper::run_of(const std::string& name, const Experiment& experiment) {
  if (const auto it = runs_.find(name); it != runs_.end()) {
    if (it->second.number == experiment.number) return &it->second;
    runs_.erase(it);
  }
  ExposedUsers::Plan plan;
  plan.arms = experiment.arms.size();
  for (size_t i = 0; i < experiment.definition.metrics(); ++i)
    plan.binary.push_back(experiment.definition.metric(i).is_binary);
  plan.window = experiment.definition.window;
  plan.by_request = experiment.by_request;
  auto users = std::make_unique<ExposedUsers>(std::move(plan));
  std::unique_ptr<ExperimentJournal> journal;
  MM_ASSIGN_OR_RETURN(const std::string file, journal_file(name, experiment.number));
  if (!file.empty()) {
    MM_RETURN_IF_ERROR(make_private_folder(options_.folder));
    MM_ASSIGN_OR_RETURN(journal,
                        ExperimentJournal::open(file, [&](const ExperimentEvent& event) { users->apply(event); }));
  }
  Run& run = runs_[name];
  run.number = experiment.number;
  run.users = std::move(users);
  run.journal = std::move(journal);
  run.synced_at = options_.time->now();
  for (size_t i = 0; i < experiment.arms.size(); ++i) {
    const std::string& arm = experiment.arms[i].name;
    run.arms[stable_hash(arm)] = static_cast<uint8_t>(i);
    run.exposed.push_back(metrics_.gauge("modelmill_experiment_users",
                                         "Users, or requests without users, that an experiment has given an arm",
                                         {{"experiment", name}, {"arm", arm}}));
  }
  return &run;
}

Status ExperimentKeeper::count(const std::string& name, const Experiment& experiment, Run& run) {
  if (auto exposures = options_.exposures(experiment.definition.route); exposures && exposures != run.exposures) {
    if (run.exposures) run.exposures->want(false);
    run.exposures = std::move(exposures);
    run.exposures->want(true);
  }
  const int64_t now = options_.now_ms();
  run.users->settle(now);
  if (!run.exposures) return ok_status();
  ExposedUsers::Log log;
  for (const Exposure& exposure : run.exposures->take()) {
    const auto arm = run.arms.find(exposure.arm);
    // Another assignment is one of a route that was changed: its users are not to be compared with ours.
    if (exposure.assignment != experiment.assignment || arm == run.arms.end()) continue;
    run.users->expose(exposure.user, exposure.request, arm->second, now, log);
  }
  for (size_t i = 0; i < run.exposed.size(); ++i)
    run.exposed[i]->set(static_cast<double>(run.users->totals()[i].exposed));
  return write_down(name, run, log);
}

/// What can't be written is forgotten again, so that memory and journal stay the same.
Status ExperimentKeeper::write_down(const std::string& name, Run& run, const ExposedUsers::Log& log) {
  if (!run.journal || log.empty()) return ok_status();
  const Status status = run.journal->append(log);
  if (!status.ok()) runs_.erase(name);
  return status.with_context("experiment '" + name + "'");
}

Status ExperimentKeeper::keep_safe(Run& run) const {
  const TimePoint now = options_.time->now();
  if (!run.journal || now - run.synced_at < kSync) return ok_status();
  run.synced_at = now;
  if (run.journal->events() > 2 * run.users->size() + kSpareEvents) return run.journal->rewrite(run.users->snapshot());
  return run.journal->sync();
}

void ExperimentKeeper::tell_outcomes(const std::string& name, ExperimentCount which, uint64_t count) {
  std::shared_ptr<Counter>& counter = outcomes_[{name, which}];
  if (!counter)
    counter = metrics_.counter("modelmill_experiment_outcomes_total", "Outcomes that came in, by what became of them",
                               {{"experiment", name}, {"result", experiment_count_name(which)}});
  counter->add(static_cast<double>(count));
}

Result<std::string> ExperimentKeeper::outcomes(const std::string& name, std::string_view batch) {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const Record record, running(name));
  MM_CHECK(record.document.last, "an experiment that runs has a document");
  const Experiment& experiment = *record.document.last;
  auto parsed = parse_outcomes(batch, experiment.definition, experiment.by_request);
  if (!parsed.ok()) return parsed.status().with_context("experiment '" + name + "'");
  MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, experiment));
  // Whoever has an answer already is among those that were exposed.
  MM_RETURN_IF_ERROR(count(name, experiment, *run));
  ExposedUsers::Log log;
  std::map<ExperimentCount, uint64_t> counts;
  const int64_t now = options_.now_ms();
  for (const Outcome& outcome : *parsed) ++counts[run->users->add(outcome, now, log)];
  MM_RETURN_IF_ERROR(write_down(name, *run, log));
  for (const auto& [which, number] : counts) tell_outcomes(name, which, number);
  return outcome_counts_json(counts);
}

Result<std::string> ExperimentKeeper::list() {
  const MutexLock lock(mutex_);
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  return experiment_list_json(all);
}

std::string ExperimentKeeper::note_of(const Experiment& experiment) const {
  if (!experiment.is_active()) return "";
  const std::string& route = experiment.definition.route;
  const auto history = routes_.history(route);
  if (!history.ok() || !history->route())
    return "the route '" + route + "' is gone, so nobody is given an arm; modelmill route undo brings it back";
  if (assignment_hash(*history->route()) == experiment.assignment) return "";
  return "the route '" + route +
         "' was changed, so users that it gives arms now are not counted; put its split, sticky "
         "key and salt back, or stop";
}

Result<std::string> ExperimentKeeper::shown(const std::string& name) {
  MM_ASSIGN_OR_RETURN(const Record record, records_.get(name));
  if (!record.document.last && !record.document.wish) return not_found("there has been no experiment '" + name + "'");
  if (!record.document.last) return experiment_json(name, record.document, "", "");
  const Experiment& experiment = *record.document.last;
  std::string results, note = note_of(experiment);
  if (experiment.is_active()) {
    if (records_.hold(name)) {
      MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, experiment));
      MM_RETURN_IF_ERROR(count(name, experiment, *run));
      results = experiment_results_json(experiment, *run->users);
    } else {
      note = "another process that shares the state counts for it; ask that one for the numbers";
    }
  }
  return experiment_json(name, record.document, results, note);
}

Result<std::string> ExperimentKeeper::show(const std::string& name) {
  const MutexLock lock(mutex_);
  return shown(name);
}

}  // namespace modelmill
