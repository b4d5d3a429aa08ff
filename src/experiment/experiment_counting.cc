#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/private_file.h"
#include "base/stable_hash.h"
#include "experiment/experiment_keeper.h"
#include "experiment/outcome_request.h"

// How ExperimentKeeper counts, by itself or for the process that decides.

namespace modelmill {
namespace {

/// How much of what was counted a crash of the machine loses; one of the process loses none that was written.
constexpr Duration kSync = std::chrono::seconds(2);
/// A journal is written anew when it has so many events more than twice what they come to.
constexpr uint64_t kSpareEvents = 100'000;
/// Of users that are known to be in a spool; of more some are left there again, which changes nothing.
constexpr size_t kMostLeft = 1'000'000;
/// The journal may be written anew while it is read.
constexpr int kReadAttempts = 3;

std::unique_ptr<ExposedUsers> users_of(const Experiment& experiment) {
  ExposedUsers::Plan plan;
  plan.arms = experiment.arms.size();
  for (size_t i = 0; i < experiment.definition.metrics(); ++i)
    plan.binary.push_back(experiment.definition.metric(i).is_binary);
  plan.window = experiment.definition.window;
  plan.by_request = experiment.by_request;
  return std::make_unique<ExposedUsers>(std::move(plan));
}

}  // namespace

Result<ExperimentKeeper::Run*> ExperimentKeeper::run_of(const std::string& name, const Experiment& experiment) {
  const bool decides = records_.hold(name);
  std::shared_ptr<Exposures> exposures;
  if (const auto it = runs_.find(name); it != runs_.end()) {
    if (it->second.number == experiment.number && it->second.decides == decides) return &it->second;
    if (it->second.number == experiment.number) exposures = std::move(it->second.exposures);  // what waits stays
    runs_.erase(it);
  }
  Run run;
  run.number = experiment.number;
  run.decides = decides;
  run.exposures = std::move(exposures);
  MM_RETURN_IF_ERROR(open_run(name, experiment, run));
  run.synced_at = options_.time->now();
  for (size_t i = 0; i < experiment.arms.size(); ++i) {
    const std::string& arm = experiment.arms[i].name;
    run.arms[stable_hash(arm)] = static_cast<uint8_t>(i);
    if (!decides) continue;
    run.exposed.push_back(metrics_.gauge("modelmill_experiment_users",
                                         "Users, or requests without users, that an experiment has given an arm",
                                         {{"experiment", name}, {"arm", arm}}));
  }
  return &runs_.emplace(name, std::move(run)).first->second;
}

Status ExperimentKeeper::open_run(const std::string& name, const Experiment& experiment, Run& run) {
  if (run.decides) run.users = users_of(experiment);
  if (options_.folder.empty())
    return run.decides ? ok_status()
                       : failed_precondition("another process decides on the experiment '" + name +
                                             "', and there is no folder to share with it");
  MM_ASSIGN_OR_RETURN(const ExperimentFiles files, ExperimentFiles::of(options_.folder, name, experiment.number));
  MM_RETURN_IF_ERROR(make_private_folder(options_.folder));
  run.spool = std::make_unique<ExperimentSpool>(files, options_.replica, parts_made_);
  if (!run.decides) return run.spool->announce();
  run.parts = std::make_unique<ExperimentParts>(files, options_.replica);
  MM_ASSIGN_OR_RETURN(run.journal, ExperimentJournal::open(files.journal(), [&](const ExperimentEvent& event) {
                        if (event.kind == ExperimentEvent::Kind::kTaken)
                          run.parts->apply(event);
                        else
                          run.users->apply(event);
                      }));
  if (!run.users->is_told_to_settle()) {  // a new one, or one of a release that didn't tell
    const ExperimentEvent begin = ExposedUsers::settled_event(0);
    MM_RETURN_IF_ERROR(run.journal->append(std::span(&begin, 1)));
    run.users->apply(begin);
  }
  return run.parts->find(options_.time->now(), options_.now_ms());
}

Status ExperimentKeeper::count(const std::string& name, const Experiment& experiment, Run& run) {
  if (auto exposures = options_.exposures(experiment.definition.route); exposures && exposures != run.exposures) {
    if (run.exposures) run.exposures->want(false);
    run.exposures = std::move(exposures);
    run.exposures->want(true);
  }
  const auto given = run.exposures ? run.exposures->take() : std::vector<Exposure>();
  if (!run.decides) return count_apart(given, experiment, run);
  const int64_t now = options_.now_ms();
  ExposedUsers::Log log;
  for (const Exposure& exposure : given) {
    const auto arm = run.arms.find(exposure.arm);
    // Another assignment is one of a route that was changed: its users are not to be compared with ours.
    if (exposure.assignment != experiment.assignment || arm == run.arms.end()) continue;
    run.users->expose(exposure.user, exposure.request, arm->second, now, log);
  }
  MM_RETURN_IF_ERROR(write_down(name, run, log));
  MM_RETURN_IF_ERROR(take_parts(name, run, /*all=*/false));
  MM_RETURN_IF_ERROR(settle(name, run));
  for (size_t i = 0; i < run.exposed.size(); ++i)
    run.exposed[i]->set(static_cast<double>(run.users->totals()[i].exposed));
  return ok_status();
}

Status ExperimentKeeper::count_apart(const std::vector<Exposure>& exposures, const Experiment& experiment, Run& run) {
  ExposedUsers::Log log;
  for (const Exposure& exposure : exposures) {
    const auto arm = run.arms.find(exposure.arm);
    if (exposure.assignment != experiment.assignment || arm == run.arms.end()) continue;
    if (exposure.user != 0) {
      if (run.left.size() >= kMostLeft) run.left.clear();
      if (!run.left.insert(exposure.user).second && exposure.request == 0) continue;
    }
    ExperimentSpool::give(exposure.user, exposure.request, arm->second, options_.now_ms(), log);
  }
  Status status = run.spool->leave_users(log);
  if (!status.ok()) run.left.clear();
  return status;
}

Status ExperimentKeeper::take_parts(const std::string& name, Run& run, bool all) {
  if (!run.parts) return ok_status();
  std::vector<ExperimentCount> became;
  const Status status =
      run.parts->take(all, [&](std::span<const ExperimentEvent> batch, const ExperimentEvent& taken) -> Status {
        ExposedUsers::Log log;
        std::vector<ExperimentCount> of_batch;
        take_left(batch, options_.now_ms(), *run.users, log, of_batch);
        log.push_back(taken);
        MM_RETURN_IF_ERROR(run.journal->append(log));
        became.insert(became.end(), of_batch.begin(), of_batch.end());
        return ok_status();
      });
  std::map<ExperimentCount, uint64_t> counts;
  for (const ExperimentCount which : became) ++counts[which];
  for (const auto& [which, number] : counts) tell_outcomes(name, which, number);
  if (!status.ok()) runs_.erase(name);
  return status.with_context("experiment '" + name + "'");
}

Status ExperimentKeeper::settle(const std::string& name, Run& run) {
  const bool are_others = run.parts && run.parts->are_there();
  const int64_t until = are_others ? run.parts->ripe_ms() - ExposedUsers::kGraceMs : options_.now_ms();
  if (!run.users->settle(until)) return ok_status();
  return write_down(name, run, {ExposedUsers::settled_event(until)});
}

Status ExperimentKeeper::gather(const std::string& name, const Experiment& experiment, Run& run, bool all) {
  MM_RETURN_IF_ERROR(count(name, experiment, run));
  if (!run.decides) return all ? read_all(name, experiment, run) : read_seen(name, experiment, run);
  return all ? take_parts(name, run, /*all=*/true) : ok_status();
}

/// `parts`: are told how far they were taken.
Status ExperimentKeeper::read_seen(const std::string& name, const Experiment& experiment, Run& run,
                                   ExperimentParts* parts) {
  MM_ASSIGN_OR_RETURN(const ExperimentFiles files, ExperimentFiles::of(options_.folder, name, experiment.number));
  Status status;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (!run.seen) {
      run.seen = std::make_unique<JournalTail>(files.journal());
      run.users = users_of(experiment);
    }
    status = run.seen->read([&](std::span<const ExperimentEvent> batch, uint64_t) {
      for (const ExperimentEvent& event : batch) {
        run.users->apply(event);
        if (parts != nullptr && event.kind == ExperimentEvent::Kind::kTaken) parts->apply(event);
      }
      return true;
    });
    if (status.ok()) break;
    run.seen.reset();
    if (status.code() == Code::kNotFound) status = ok_status();  // whoever decides is about to make it
    if (status.code() != Code::kAborted) break;
  }
  if (!run.users->is_told_to_settle()) run.users->settle(options_.now_ms() - ExposedUsers::kGraceMs);
  return status;
}

Status ExperimentKeeper::read_all(const std::string& name, const Experiment& experiment, Run& run) {
  MM_ASSIGN_OR_RETURN(const ExperimentFiles files, ExperimentFiles::of(options_.folder, name, experiment.number));
  Status status;
  bool is_whole = false;
  for (int attempt = 0; attempt < kReadAttempts && !is_whole; ++attempt) {
    ExperimentParts parts(files, options_.replica);  // it finds once, and so takes none away
    run.seen.reset();
    MM_RETURN_IF_ERROR(read_seen(name, experiment, run, &parts));
    MM_RETURN_IF_ERROR(parts.find(options_.time->now(), options_.now_ms()));
    status = parts.take(/*all=*/true, [&](std::span<const ExperimentEvent> batch, const ExperimentEvent&) {
      ExposedUsers::Log log;
      std::vector<ExperimentCount> became;
      take_left(batch, options_.now_ms(), *run.users, log, became);
      return ok_status();
    });
    // Whoever decides may have taken some meanwhile, and their file away.
    is_whole = true;
    if (!run.seen) continue;
    const Status again = run.seen->read([&](std::span<const ExperimentEvent> batch, uint64_t) {
      for (const ExperimentEvent& event : batch) is_whole = is_whole && event.kind != ExperimentEvent::Kind::kTaken;
      return true;
    });
    is_whole = is_whole && again.ok();
  }
  run.seen.reset();  // the next read begins anew, without these
  return status;
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
  if (now - run.synced_at < kSync) return ok_status();
  run.synced_at = now;
  if (run.spool) MM_RETURN_IF_ERROR(run.spool->sync());
  if (!run.journal) return ok_status();
  if (run.journal->events() <= 2 * run.users->size() + kSpareEvents) return run.journal->sync();
  ExposedUsers::Log all = run.users->snapshot();
  for (const ExperimentEvent& taken : run.parts->snapshot()) all.push_back(taken);
  return run.journal->rewrite(all);
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
  const int64_t now = options_.now_ms();
  const auto is_known = [&](const Outcome& outcome) { return run->users->knows(outcome); };
  const bool are_known = run->decides && std::all_of(parsed->begin(), parsed->end(), is_known);
  // Another process may have served somebody a moment ago, as the first thing that it did.
  if (!are_known && run->parts) MM_RETURN_IF_ERROR(run->parts->find(options_.time->now(), options_.now_ms()));
  if (!run->decides || (!are_known && run->parts && run->parts->are_there())) {
    MM_RETURN_IF_ERROR(run->spool->leave_outcomes(*parsed, now));
    return outcome_counts_json({}, parsed->size());
  }
  ExposedUsers::Log log;
  std::map<ExperimentCount, uint64_t> counts;
  for (const Outcome& outcome : *parsed) ++counts[run->users->add(outcome, now, log)];
  MM_RETURN_IF_ERROR(write_down(name, *run, log));
  for (const auto& [which, number] : counts) tell_outcomes(name, which, number);
  return outcome_counts_json(counts, 0);
}

}  // namespace modelmill
