#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "catalog/ensemble_levels.h"
#include "catalog/version_stats.h"
#include "ensemble/members.h"
#include "ensemble/pinned_members.h"
#include "request/infer_request.h"

namespace modelmill {

/// One request to an ensemble with members that give any number of answers. Each answer of such a member runs the steps
/// of the next level by itself, side by side with those of the answers before it, and what comes of it is an answer to
/// the client: in the order of the member's answers, not in that in which steps come to their ends. A decoupled member
/// behind another one is asked about one answer of that after the other. Such members are held up while too much of
/// what they gave is under way, or the client has too much left to read; nobody else waits. An error is the end of it,
/// in its turn: what comes of the answers before it is heard. Lives as long as a member has a request of it.
/// Thread-safe.
class EnsembleStream : public std::enable_shared_from_this<EnsembleStream> {
 public:
  /// Takes over a request whose inputs have been checked, to a plan with levels. `members` outlives the stream.
  static void begin(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                    std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request);

  EnsembleStream(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                 std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request);

 private:
  class Run;
  class Source;
  using Answer = std::shared_ptr<const InferResponse>;

  /// The runs of a level in the order of what they are of: the first one is the one whose turn it is.
  struct Lane {
    std::deque<std::shared_ptr<Run>> runs;
    bool closed = false;  // no more of them come
    Status error;         // that comes after them
  };
  /// What is done without the lock, by one thread at a time.
  struct Deed {
    enum class Kind { kNone, kRun, kAsk, kAnswer, kEnd };
    Kind kind = Kind::kNone;
    std::shared_ptr<Run> run;               // that begins, or whose answer the source of its level is asked about
    Status error;                           // of the end
    std::optional<InferResponse> response;  // to the client
  };

  const EnsembleLevels::Level& level_of(size_t level) const { return plan_->levels->levels[level]; }
  void start();
  void drive();
  Deed next() MM_REQUIRES(mutex_);
  Deed advance() MM_REQUIRES(mutex_);
  static Deed ending(Status error);
  Deed answer_of(const std::shared_ptr<Run>& run) MM_REQUIRES(mutex_);
  bool can_ask(const Run& run) const;
  void leave(size_t level) MM_REQUIRES(mutex_);
  void begin_run(const std::shared_ptr<Run>& run);
  void ask_source(const std::shared_ptr<Run>& run);
  void end(Deed deed);

  void ran(Run& run, InferResponse response);
  void gave(size_t level, const Answer& before, InferResponse response, bool final, bool has_response);
  void add_run(size_t level, const Answer& before, InferResponse response) MM_REQUIRES(mutex_);
  void fail(Status error) MM_REQUIRES(mutex_);
  bool is_full(size_t level) const MM_REQUIRES(mutex_);
  void wait_for_room(size_t level);

  const std::shared_ptr<const EnsemblePlan> plan_;
  PinnedMembers members_;
  const std::shared_ptr<VersionStats> stats_;
  const int64_t version_;
  const TimePoint began_;
  const std::shared_ptr<Room> client_room_;    // null: it has none
  const std::shared_ptr<CancelToken> cancel_;  // of all parts
  InferRequestPtr request_;                    // of who does the deeds
  size_t last_ = 0;                            // the level whose runs are the answers

  Mutex mutex_;
  CondVar room_;
  std::vector<Lane> lanes_ MM_GUARDED_BY(mutex_);                 // by level
  size_t level_ MM_GUARDED_BY(mutex_) = 0;                        // the deepest one in which something is under way
  std::deque<std::shared_ptr<Run>> fresh_ MM_GUARDED_BY(mutex_);  // that have not begun
  std::optional<Status> error_ MM_GUARDED_BY(mutex_);             // it has failed
  bool over_ MM_GUARDED_BY(mutex_) = false;                       // its end is decided: nothing more is heard
  bool driving_ MM_GUARDED_BY(mutex_) = false;
  size_t held_ MM_GUARDED_BY(mutex_) = 0;       // bytes of the sources' answers that are under way
  uint64_t moves_ MM_GUARDED_BY(mutex_) = 0;    // so often something got on
  bool holds_up_ MM_GUARDED_BY(mutex_) = true;  // false: holding members up has led nowhere
  // Of all parts together.
  Duration queued_ MM_GUARDED_BY(mutex_){};
  ExecutionRecord record_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
