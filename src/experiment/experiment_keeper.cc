#include "experiment/experiment_keeper.h"

#include <utility>

#include "base/log.h"
#include "model/route_assignment.h"

// How ExperimentKeeper looks and shows; how it counts is in experiment_counting.cc, what it does about an experiment in
// experiment_moves.cc.

namespace modelmill {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(200);
/// How often experiments are looked for that other processes have begun.
constexpr Duration kFind = std::chrono::seconds(2);

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
  const bool decides = records_.hold(name);
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  if (decides && record.document.last && !record.document.last->is_placed) MM_RETURN_IF_ERROR(place(name, record));
  if (!record.document.last || !record.document.last->is_active()) {
    forget(name, record.document.last ? record.document.last->number : 0);
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, *record.document.last));
  if (run->parts) MM_RETURN_IF_ERROR(run->parts->find(options_.time->now(), options_.now_ms()));
  MM_RETURN_IF_ERROR(count(name, *record.document.last, *run));
  MM_RETURN_IF_ERROR(keep_safe(*run));
  return run->decides ? decide_for(name, record, *run) : ok_status();
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
  std::string results;
  if (experiment.is_active()) {
    MM_ASSIGN_OR_RETURN(Run* const run, run_of(name, experiment));
    MM_RETURN_IF_ERROR(gather(name, experiment, *run, /*all=*/false));
    results = experiment_results_json(experiment, *run->users);
  }
  return experiment_json(name, record.document, results, note_of(experiment));
}

Result<std::string> ExperimentKeeper::show(const std::string& name) {
  const MutexLock lock(mutex_);
  return shown(name);
}

}  // namespace modelmill
