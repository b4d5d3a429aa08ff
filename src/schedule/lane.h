#pragma once

#include <atomic>
#include <thread>

#include "schedule/split_request.h"
#include "schedule/version_scheduler.h"

namespace modelmill {

/// The kernel's account of the calling thread so far.
struct ThreadUsage {
  Duration processor{};
  long slept = 0;  // times that it gave its core up by itself

  static ThreadUsage now();
};

/// One execution at a time on an instance. Counts the requests of its execution as they complete.
class VersionScheduler::Lane final : public RequestObserver {
 public:
  enum class State {
    kIdle,       // nobody's; in idle_
    kWoken,      // its thread has been told to look for work
    kThread,     // its thread's
    kExecuting,  // runs a batch that its thread began
    kOnLoop,     // runs a batch that a loop began
    kGone,       // its thread has ended
  };

  Lane(VersionScheduler& version, BackendInstance& instance, InstanceGroup::Kind kind)
      : version(version), instance(instance), kind(kind) {}

  void on_completed(InferRequest& request, const Status& status) override;
  /// The execution as it is counted.
  ExecutionRecord record(TimePoint input_end, TimePoint infer_end, TimePoint end) const;

  VersionScheduler& version;
  BackendInstance& instance;
  const InstanceGroup::Kind kind;
  std::thread thread;
  CondVar wake;
  State state = State::kThread;  // guarded by the version's mutex_
  bool leaving = false;          // so is this: its instance is being taken away

  // The execution, written by whoever began it, read by whoever ends it.
  int64_t rows = 0;
  int64_t padded = 0;  // of them: nobody's
  int64_t requests = 0;
  int64_t uncounted = 0;    // of them: those that are no request of a client's
  bool background = false;  // all of them
  FailedRequests failed;
  std::atomic<int64_t> late{0};        // answered after the objective's time
  std::atomic<int64_t> unanswered{0};  // rows of the version's running_rows_
  uint64_t shape_class = 0;
  std::string shapes;  // when the class was new
  TimePoint start{};
  ConcurrencyMeter::Mark mark;  // where an objective chooses the number of instances
  BatchCut batch;
  Turn* turn = nullptr;      // of the loop that runs it
  TimePoint first_answer{};  // on a loop: of any of its requests
  bool watched = false;
  std::thread::id began_on;
  ThreadUsage usage_before;
};

}  // namespace modelmill
