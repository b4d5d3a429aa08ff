#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model_table.h"
#include "catalog/version_stats.h"
#include "lifecycle/instance_scaler.h"
#include "lifecycle/learned_entries.h"
#include "lifecycle/load_tries.h"
#include "lifecycle/owned_version.h"
#include "lifecycle/repository_look.h"
#include "lifecycle/runtime_chooser.h"
#include "lifecycle/runtime_options.h"
#include "lifecycle/swap_plan.h"
#include "state/model_state.h"

namespace modelmill {

/// What should be served of a model: one look's result, or what a client sent. Immutable.
struct ModelTarget {
  FoundModel found;
  ModelDefinition definition;
  std::vector<WantedVersion> wanted;
  std::map<int64_t, FoundVersion> places;
  /// Clients may break.
  bool allow_breaking = false;
  /// It did not come from a look at the repository, which therefore doesn't change it.
  bool sent = false;
  /// What must stay as long as it may be loaded: the folder of files that were sent.
  std::shared_ptr<void> files = {};
};

/// The target that a look makes. `sent`, with its `files`: see ModelTarget.
inline std::shared_ptr<const ModelTarget> target_of(SeenModel seen, bool allow_breaking,
                                                    std::shared_ptr<void> files = {}, bool sent = false) {
  return std::make_shared<const ModelTarget>(ModelTarget{std::move(seen.found), std::move(seen.definition),
                                                         std::move(seen.wanted), std::move(seen.places), allow_breaking,
                                                         sent, std::move(files)});
}

/// Of a version that several runtimes can run. Its chooser is asked and told under the controller's lock.
struct RuntimeRecord {
  RuntimeOptions options;
  std::string key;  // of what is known of them; see RuntimeStore
  RuntimeChooser chooser;
  bool busy = false;  // what the chooser asked for last is being done
};

/// What served before a target, to be loaded again where `swap: resource` had it unloaded first and the target fails.
struct FormerTarget {
  std::shared_ptr<const ModelTarget> target;
  std::map<int64_t, std::string> files;  // what its versions were loaded from, by version: see VersionRecord
  Status why;                            // it is needed: how loading the target went; OK once that was told
};

/// What the control plane knows of a version.
struct VersionRecord {
  std::unique_ptr<OwnedVersion> serving;  // null: nothing does
  uint64_t serial = 0;                    // of what serves: no other has the same
  std::string stamp;                      // of what serves
  std::shared_ptr<const void> files;      // of what serves: they stay as long as it does
  std::string files_stamp;                // of what serves, where it may be restored: of its files alone
  InstanceLimits limits;  // of what serves, as told last; min and max are its number where that is fixed
  std::shared_ptr<InstanceScaler> scaler;   // null: the number of instances is fixed
  std::shared_ptr<RuntimeRecord> runtimes;  // null: there is no choice
  std::string cost_key;
  int64_t executions_kept = 0;  // that the cost store knows of
  uint64_t bytes = 0;           // of memory that it takes, or took when it served last

  std::string loading;  // the stamp of what is being loaded; empty: nothing
  std::string failed;   // the stamp of what could not be loaded
  std::string reason;   // why; or "unloaded"
  Code failed_code = Code::kOk;
  LoadTries tries;   // that have failed, while another is to come
  int draining = 0;  // versions of this number that answer their last requests
  std::shared_ptr<VersionStats> stats;
};

/// What the control plane knows of a model. Its steps are taken under the controller's lock, one after the other.
struct ModelRecord {
  std::string name;
  std::shared_ptr<const ModelTarget> target;  // null: it has never been told what to serve
  std::optional<FormerTarget> former;         // as long as the target may fail
  std::optional<FormerTarget> restored;       // served in the target's place, which failed
  /// The target's versions are to be served: it was not put away, unloaded or left for later.
  bool awake = false;
  /// Why it is not awake: a client had it unloaded, so that no look wakes it.
  bool unloaded_by_client = false;
  /// It is gone from the repository, and from here when its last version is.
  bool gone = false;
  /// It was not there at the start: if it can't be served, the server is ready all the same.
  bool came_later = false;
  /// What clients decided of it.
  ModelState state;
  /// Why what lies in the repository can't be served; empty: it can.
  std::string problem;
  std::map<int64_t, VersionRecord> versions;
  /// Requests are among those who wait.
  bool wanted_by_request = false;
  /// Who waits until the target is reached.
  std::vector<std::function<void(Status)>> waiters;
  std::shared_ptr<Counter> failures;  // of loads; null: there were none
  TimePoint failed_at{};              // when a load failed last
  uint64_t loaded_ms = 0;             // when one succeeded last, in Unix time
  LearnedEntries learned;             // of the version that stopped serving last
  uint64_t leaving = 0;               // bytes of versions that drain
  bool woke_members = false;          // of an ensemble: they were told to load, and it loads when they have
  std::string members_key;            // of an ensemble: what its members were when it was loaded last

  /// What is to be served: the target, or what served before it and was restored.
  const std::shared_ptr<const ModelTarget>& effective() const { return restored ? restored->target : target; }
  std::vector<WantedVersion> wanted() const {
    return awake && target ? effective()->wanted : std::vector<WantedVersion>();
  }
  /// What failed is loaded as if it were for the first time.
  void forget_failures();
  bool wants(const WantedVersion& version) const;
  std::vector<SwapVersion> swap_versions() const;
  /// All that can be done for the target is done.
  bool settled() const;
  /// A load has failed, and its time to be tried again has not come.
  bool waits_to_retry() const;
  /// It is settled, or nothing happens until something is tried again.
  bool at_rest() const { return settled() || (waits_to_retry() && !in_motion()); }
  bool serves() const;
  bool can_be_asked() const;  // it serves, and what runs it is there
  bool in_motion() const;     // something loads or drains
  /// Of memory: what serves, what is reserved for loading, and what has not gone yet.
  uint64_t bytes() const;

  /// How its waiters' loading went: an error that names what failed, and why.
  Status outcome() const;
  /// What clients see of it.
  std::shared_ptr<const ModelEntry> entry(bool on_demand) const;
  /// As clients have decided, or else as its configuration says. 0: the newest that serves.
  int64_t default_version() const;
  std::map<std::string, int64_t> labels() const;
};

}  // namespace modelmill
