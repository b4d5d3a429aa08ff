#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/experiment_control.h"
#include "catalog/exposures.h"
#include "catalog/route_control.h"
#include "experiment/experiment_document.h"
#include "experiment/experiment_files.h"
#include "experiment/experiment_journal.h"
#include "experiment/experiment_parts.h"
#include "experiment/experiment_spool.h"
#include "experiment/experiment_view.h"
#include "experiment/exposed_users.h"
#include "experiment/journal_tail.h"
#include "model/yaml_wish.h"
#include "runtime/metrics.h"
#include "runtime/steward.h"

namespace modelmill {

/// Runs experiments: notes who got which arm of their routes and what was said of them since, reads what that means,
/// and puts a winner in force as a change of the route where it is told to. What is decided is written before it is
/// done, and done again after a crash in between. Of the processes that share a store, one at a time decides for a
/// name, the one that holds its lease: the others leave it what they see, and read what it knows of all. Thread-safe.
class ExperimentKeeper final : public ExperimentControl {
 public:
  struct Options {
    ExperimentRecords::OpenStore store;
    /// The folder of the journals, which is made when it is needed; empty: nothing outlasts the server.
    std::string folder;
    /// What tells this process from the others that share the store.
    std::string replica;
    /// Who gets which arm of a route; null where there is no such route.
    std::function<std::shared_ptr<Exposures>(const std::string& route)> exposures;
    /// UTC, ISO 8601.
    std::function<std::string()> now;
    /// Milliseconds since 1970.
    std::function<int64_t()> now_ms;
    const TimeSource* time = &TimeSource::steady();
  };

  /// All of them must outlive it.
  ExperimentKeeper(RouteControl& routes, MetricRegistry& metrics, Options options);
  ~ExperimentKeeper() override;

  /// Goes on with the experiments that were kept, and looks at them from now on, on a thread of its own.
  void begin_looking();
  void stop();
  /// What files want: `wishes` is all that `files` say. Each is begun once, when nothing else runs in its way, and
  /// tried again until then. What has begun is ended by hand or by its rule alone, whatever files say.
  Status declare(const std::vector<YamlWish>& wishes, const std::vector<std::string>& files);
  /// One look at all experiments that run. What the thread does each 200 ms.
  void look();

  Result<std::string> list() override;
  Result<std::string> show(const std::string& name) override;
  Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) override;
  Result<std::string> outcomes(const std::string& name, std::string_view batch) override;
  Result<std::string> deploy(const std::string& name, std::string_view request, const std::string& by) override;
  Result<std::string> stop(const std::string& name, const std::string& by) override;

 private:
  using Record = ExperimentRecords::Record;

  /// What this process has of an experiment.
  struct Run {
    uint64_t number = 0;  // of the experiment
    bool decides = true;
    std::unique_ptr<ExposedUsers> users;         // of all processes
    std::unique_ptr<ExperimentJournal> journal;  // of one that decides; null: nothing is kept
    std::unique_ptr<ExperimentParts> parts;      // beside it: what others leave
    std::unique_ptr<ExperimentSpool> spool;      // what is left for the one that decides
    std::unique_ptr<JournalTail> seen;           // that one's journal, as far as `users` have it
    std::unordered_set<uint64_t> left;           // users that are in the spool
    std::shared_ptr<Exposures> exposures;
    std::map<uint64_t, uint8_t> arms;             // by stable_hash() of their names
    std::vector<std::shared_ptr<Gauge>> exposed;  // by arm
    TimePoint synced_at{};

    Run() = default;
    Run(Run&&) = default;
    Run& operator=(Run&&) = delete;
    ~Run() {
      if (exposures) exposures->want(false);
    }
  };

  /// Those that run, and those whose end is yet to be put in force.
  Status find_experiments() MM_REQUIRES(mutex_);
  Status look_at(const std::string& name) MM_REQUIRES(mutex_);
  /// This process's own, made or read again where it is not there yet, or where it is another one now that decides.
  Result<Run*> run_of(const std::string& name, const Experiment& experiment) MM_REQUIRES(mutex_);
  Status open_run(const std::string& name, const Experiment& experiment, Run& run) MM_REQUIRES(mutex_);
  Result<Record> running(const std::string& name) MM_REQUIRES(mutex_);
  /// Takes what the route has left since, and writes it down: in the journal, with what others have left, or for
  /// others.
  Status count(const std::string& name, const Experiment& experiment, Run& run) MM_REQUIRES(mutex_);
  Status count_apart(const std::vector<Exposure>& exposures, const Experiment& experiment, Run& run)
      MM_REQUIRES(mutex_);
  Status take_parts(const std::string& name, Run& run, bool all) MM_REQUIRES(mutex_);
  /// Counts users whose window is over, when all that was left of them has been taken.
  Status settle(const std::string& name, Run& run) MM_REQUIRES(mutex_);
  /// Brings up to date what is known of all.
  Status gather(const std::string& name, const Experiment& experiment, Run& run, bool all) MM_REQUIRES(mutex_);
  Status read_seen(const std::string& name, const Experiment& experiment, Run& run, ExperimentParts* parts = nullptr)
      MM_REQUIRES(mutex_);
  /// That, and what others have left for the one that decides and it has yet to take. In memory only.
  Status read_all(const std::string& name, const Experiment& experiment, Run& run) MM_REQUIRES(mutex_);
  Status write_down(const std::string& name, Run& run, const ExposedUsers::Log& log) MM_REQUIRES(mutex_);
  Status keep_safe(Run& run) const MM_REQUIRES(mutex_);
  Status decide_for(const std::string& name, Record& record, Run& run) MM_REQUIRES(mutex_);
  /// `wished`: it is the document's wish that begins; else somebody does.
  Status begin(const std::string& name, const ExperimentDefinition& definition, Record& record, const std::string& by,
               bool wished) MM_REQUIRES(mutex_);
  Status declare_once(const YamlWish& wanted) MM_REQUIRES(mutex_);
  /// Begins the experiment that is wished, if it waits and can begin; else notes why not.
  Status try_wish(const std::string& name, Record& record) MM_REQUIRES(mutex_);
  Status withdraw(const std::string& name) MM_REQUIRES(mutex_);
  Status finish(const std::string& name, Record& record, ExperimentPhase phase, const std::string& arm,
                const std::string& by) MM_REQUIRES(mutex_);
  Status place(const std::string& name, Record& record) MM_REQUIRES(mutex_);
  Status check_free(const std::string& name, const std::string& route) MM_REQUIRES(mutex_);
  Result<std::string> shown(const std::string& name) MM_REQUIRES(mutex_);
  /// Of an experiment that was counted here; it is over.
  void forget(const std::string& name, uint64_t number) MM_REQUIRES(mutex_);
  /// The files of the experiment; of a process that doesn't decide its own.
  void remove_files(const std::string& name, uint64_t number) MM_REQUIRES(mutex_);
  std::string note_of(const Experiment& experiment) const;
  void tell_outcomes(const std::string& name, ExperimentCount which, uint64_t count) MM_REQUIRES(mutex_);

  RouteControl& routes_;
  MetricRegistry& metrics_;
  const Options options_;
  Mutex mutex_;
  std::set<std::string> wished_ MM_GUARDED_BY(mutex_);  // names of which a file of this process wants something
  ExperimentRecords records_ MM_GUARDED_BY(mutex_);
  std::map<std::string, Run> runs_ MM_GUARDED_BY(mutex_);
  std::map<std::string, std::string> watched_ MM_GUARDED_BY(mutex_);  // names to look at; the problem logged last
  TimePoint listed_at_ MM_GUARDED_BY(mutex_){};
  uint64_t parts_made_ MM_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<std::string, ExperimentCount>, std::shared_ptr<Counter>> outcomes_ MM_GUARDED_BY(mutex_);

  Steward steward_;  // last: it uses the others
};

}  // namespace modelmill
