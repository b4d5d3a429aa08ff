#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/rollout_control.h"
#include "catalog/route_control.h"
#include "model/yaml_wish.h"
#include "rollout/rollout_records.h"
#include "rollout/rollout_request.h"
#include "runtime/metrics.h"
#include "runtime/steward.h"

namespace modelmill {

/// Runs rollouts: counts what the arms of their routes do, asks decide() what that means, and puts that in force as
/// changes of the routes. What it decides is written before it is done, and done again after a crash in between. Of the
/// processes that share a store, one at a time decides for a name, the one that holds its lease, by what all of them
/// count. Thread-safe.
class RolloutKeeper final : public RolloutControl {
 public:
  struct Options {
    RolloutRecords::OpenStore store;
    /// What tells this process from the others that share the store.
    std::string replica;
    /// Called before it looks for what others have begun: their routes come first. Empty: they are known.
    std::function<void()> look_for_routes;
    /// What an arm of a route has counted; from the first call on.
    std::function<ArmCounts(const std::string& route, const RouteTarget& arm)> count;
    /// What has come of the copies that a shadow of a route got.
    std::function<CopyCounts(const std::string& route, const RouteTarget& shadow)> count_copies;
    /// Makes a version the model's default one. Blocks.
    std::function<Status(const std::string& model, int64_t version)> make_default;
    /// UTC, ISO 8601.
    std::function<std::string()> now;
    const TimeSource* time = &TimeSource::steady();
  };

  /// All of them must outlive it.
  RolloutKeeper(const Catalog& catalog, RouteControl& routes, MetricRegistry& metrics, Options options);
  ~RolloutKeeper() override;

  /// Goes on with the rollouts that were kept, and looks at them from now on, on a thread of its own. For once the
  /// models are loaded.
  void begin_looking();
  void stop();
  /// What files want: `wishes` is all that `files` say. Each is begun once, when nothing else runs for its name and its
  /// canary is there, and tried again until then. One that the file has changed or taken away ends the rollout that it
  /// began.
  Status declare(const std::vector<YamlWish>& wishes, const std::vector<std::string>& files);
  /// One look at all rollouts that run. What the thread does each 200 ms.
  void look();

  Result<std::string> list() override;
  Result<std::string> show(const std::string& name) override;
  Result<std::string> history(const std::string& name) override;
  Result<std::string> start(const std::string& name, std::string_view request, const std::string& by) override;
  Result<std::string> act(const std::string& name, RolloutAction action, const std::string& by) override;

 private:
  using Record = RolloutRecords::Record;

  /// What this process has seen of a rollout that runs, and does not keep.
  struct Watch {
    uint64_t number = 0;  // of the rollout
    TimePoint looked_at{}, written_at{};
    RolloutWindow counted;                             // all that the arms had, at the last look, and...
    int64_t canary_version = 0, baseline_version = 0;  // ... whose; 0: it could not be asked yet
    std::deque<RolloutWindow> second;                  // what was new at the last looks, for about a second
    RolloutPart part;                                  // what was counted while others decided, and...
    bool is_written = true;                            // ... whether that is what is kept of it
    std::shared_ptr<Gauge> percent, copied_percent;
    std::string problem;  // that was logged last
  };

  /// Those that run, and those whose end is yet to be put in force.
  Status find_rollouts() MM_REQUIRES(mutex_);
  Status look_at(const std::string& name) MM_REQUIRES(mutex_);
  Watch& watch_of(const std::string& name, const Rollout& rollout) MM_REQUIRES(mutex_);
  /// All that the arms have. An arm that can't be asked has what it had at the last look, and of another version than
  /// then only what it does from now on is new.
  RolloutWindow counted_by(const std::string& name, const Rollout& rollout, Watch& watch) const;
  CopyCounts copies_counted_by(const std::string& name, const Rollout& rollout) const;
  /// What was counted since the last look.
  RolloutWindow take_fresh(const std::string& name, const Rollout& rollout, Watch& watch) const;
  /// Adds what is new to the rollout's window and its time.
  void count(const std::string& name, Rollout& rollout, Watch& watch) MM_REQUIRES(mutex_);
  /// Counts for another process, which decides.
  Status count_apart(const std::string& name) MM_REQUIRES(mutex_);
  Status write_part(Watch& watch) MM_REQUIRES(mutex_);
  /// All parts there are, `afresh` or as they were when they last changed.
  Status read_parts(bool afresh) MM_REQUIRES(mutex_);
  /// Adds up what other processes have counted of the step.
  Status take_parts(const std::string& name, Rollout& rollout, Watch& watch) MM_REQUIRES(mutex_);
  /// `knows_all`: others' counts could be read; else it goes no step further.
  Status decide_for(const std::string& name, Record& record, Watch& watch, bool knows_all) MM_REQUIRES(mutex_);
  /// That the canary can't be asked though the baseline can, or has crashed and the baseline has not; empty: neither.
  std::string crash_of(const Rollout& rollout) const;
  /// The route is another one than the rollout wants.
  bool is_overruled(const std::string& name, const Rollout& rollout) const;
  Status enter_step(const std::string& name, Record& record, const std::string& why) MM_REQUIRES(mutex_);
  Status finish(const std::string& name, Record& record, RolloutPhase phase, const std::string& by,
                const std::string& why) MM_REQUIRES(mutex_);
  Status pause(const std::string& name, Record& record, const std::string& by, const std::string& why)
      MM_REQUIRES(mutex_);
  Status resume(const std::string& name, Record& record, const std::string& by) MM_REQUIRES(mutex_);
  Status hold(const std::string& name, Record& record, const std::string& why) MM_REQUIRES(mutex_);
  Status do_once(const std::string& name, RolloutAction action, const std::string& by) MM_REQUIRES(mutex_);
  /// The winner serves a model's own name, so that no route is needed; an error where that can't be.
  Status make_default(const std::string& name, const RouteTarget& winner) const;
  /// `wished`: it is the document's wish that begins; else somebody does.
  Status begin(const std::string& name, const RolloutRequest& request, Record& record, const std::string& by,
               bool wished) MM_REQUIRES(mutex_);
  Status declare_once(const YamlWish& wanted) MM_REQUIRES(mutex_);
  /// Begins the rollout that is wished, if it waits and can begin; else notes why not.
  Status try_wish(const std::string& name, Record& record) MM_REQUIRES(mutex_);
  /// Ends what the wish has begun, if it runs still, and forgets the wish.
  Status end_wish(const std::string& name, Record& record, const std::string& why) MM_REQUIRES(mutex_);
  Status withdraw(const std::string& name) MM_REQUIRES(mutex_);
  /// A decision about the rollout as it stands.
  RolloutEntry entry_of(const Rollout& rollout, const char* what, const std::string& by, const std::string& why) const;
  /// Writes the rollout with the decision, and puts what it wants in force.
  Status carry_out(const std::string& name, Record& record, RolloutEntry entry) MM_REQUIRES(mutex_);
  Status place(const std::string& name, Record& record) MM_REQUIRES(mutex_);
  std::optional<RouteDefinition> route_of(const std::string& name) const;

  const Catalog& catalog_;
  RouteControl& routes_;
  MetricRegistry& metrics_;
  const Options options_;
  Mutex mutex_;
  std::set<std::string> wished_ MM_GUARDED_BY(mutex_);  // names of which a file of this process wants something
  RolloutRecords records_ MM_GUARDED_BY(mutex_);
  RolloutParts parts_ MM_GUARDED_BY(mutex_);
  std::map<std::string, RolloutParts::Record> known_parts_ MM_GUARDED_BY(mutex_);
  TimePoint parts_read_at_ MM_GUARDED_BY(mutex_){};
  std::atomic<bool> parts_changed_ = true;                         // since they were read
  std::unique_ptr<StoreWatch> parts_watch_ MM_GUARDED_BY(mutex_);  // says so; null: there is no store yet, or it can't
  std::map<std::string, Watch> watches_ MM_GUARDED_BY(mutex_);     // of those that run, by name
  TimePoint listed_at_ MM_GUARDED_BY(mutex_){};
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Counter>> ended_
      MM_GUARDED_BY(mutex_);  // by name and outcome

  Steward steward_;  // last: it uses the others
};

}  // namespace modelmill
