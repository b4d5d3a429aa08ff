#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cache/version_cache.h"
#include "catalog/model_version.h"
#include "catalog/version_factory.h"
#include "runtime/thread_slot.h"
#include "runtime/turn.h"
#include "schedule/arrival_forecast.h"
#include "schedule/arrival_rate.h"
#include "schedule/batch_policy.h"
#include "schedule/concurrency_costs.h"
#include "schedule/concurrency_meter.h"
#include "schedule/cost_model.h"
#include "schedule/inline_governor.h"
#include "schedule/instance_planner.h"
#include "schedule/objective_share.h"
#include "schedule/request_queue.h"
#include "schedule/response_order.h"

namespace modelmill {

/// A version that runs: its queue, its instances and their threads, and the short way that runs small work on the loop
/// that received it.
///
/// A lane is one execution at a time on an instance, with a thread of its own: one lane for each instance, or several
/// for one that executes concurrently. At any moment a lane is owned by its thread, by an execution, or by nobody
/// (idle). Whoever makes work looks for an idle lane; a lane that has finished looks for work; so no request waits
/// while a lane is idle, unless the batch policy wants it to. Where executions take resources of the server's, a lane
/// has them before it cuts a batch, or waits for them on its thread, outside the lock. What another model's execution
/// has asked for waits for none of them, nor for its place in the order of answers.
///
/// Locks: `mutex_` guards the queue and the lanes' states; it is held for a few dozen instructions and never while a
/// backend or a sink is called. Waking is done under it: once it is released, the requests may be complete and `*this`
/// gone, for all that keeps it alive are the requests' pins.
class VersionScheduler final : public ModelVersion, private RequestObserver {
 public:
  VersionScheduler(Description description, std::shared_ptr<VersionStats> stats, VersionPlan plan,
                   std::unique_ptr<BackendModel> model, std::vector<std::unique_ptr<BackendInstance>> instances,
                   TimeSource& time, std::shared_ptr<VersionCache> cache = nullptr);
  ~VersionScheduler() override;

  void submit(InferRequestPtr request) override;
  void drop_unwanted() override;
  Status availability() const override { return suspended() ? suspension() : model_->availability(); }
  ProcessHealth process_health() const override { return model_->process_health(); }
  Explanation explain() const override;
  std::vector<LearnedCost> learned() const override;
  Status set_instances(int count, ScalingReason reason, const std::string& text) override;
  Status suspend(const std::string& text) override;
  void resume() override;
  bool suspended() const override { return suspended_.load(std::memory_order_relaxed); }
  InstanceLimits instance_limits() const override { return plan_.instance_limits; }
  InstanceLoad load() const override;
  std::optional<InstanceChoice> choose_instances(const InstanceLimits& limits) override;
  std::optional<double> gain_of_another() override;

  /// What of it runs on loops; for tests and reports.
  InlineGovernor::State inline_state() const { return inline_state_.load(std::memory_order_relaxed); }

 private:
  class Lane;
  class TurnBatch;

  /// An instance, and the lanes that run on it.
  struct Seat {
    std::unique_ptr<BackendInstance> instance;
    InstancePlace place;
    std::vector<std::unique_ptr<Lane>> lanes;
  };

  /// Of requests that fail before a lane has them.
  void on_completed(InferRequest& request, const Status& status) override;

  Status unloading() const;
  Status suspension() const;
  void take_in(InferRequestPtr request, TimePoint now);
  bool hold_for_turn(InferRequestPtr& request);
  void enqueue(InferRequestPtr request);
  void enqueue_parts(InferRequestPtr request);
  Status enqueue(std::span<InferRequestPtr> parts, int64_t rows);
  Status in_time(const InferRequest& request, int64_t rows) const MM_REQUIRES(mutex_);
  static void fail(std::vector<RequestQueue::Dropped>& dropped);

  /// The requests of `held` from one on that would share its batch.
  struct Prefix {
    int64_t rows = 0;
    bool full = false;
  };
  TurnBatch* turn_batch();
  void run_turn(Turn& turn, std::vector<InferRequestPtr>& held);
  Prefix measure(const std::vector<InferRequestPtr>& held, size_t from, int64_t max_rows) const;
  std::vector<InferRequestPtr> take_batch(std::vector<InferRequestPtr>& held, size_t from, int64_t max_rows) const;
  Lane* begin_on_loop(TimePoint begin, int64_t first, int64_t wanted, Duration budget, int64_t& allowed, bool& watched);

  LoadView load_view(TimePoint now) const MM_REQUIRES(mutex_);
  int64_t planned_rows() const MM_REQUIRES(mutex_);
  void note_arrival(int64_t rows, TimePoint now) MM_REQUIRES(mutex_);
  void measure_from(TimePoint now) MM_REQUIRES(mutex_);
  std::optional<double> measured_gain(TimePoint now) const MM_REQUIRES(mutex_);
  void note_begin(Lane& lane, TimePoint now) MM_REQUIRES(mutex_);
  void note_end(const Lane& lane, TimePoint now) MM_REQUIRES(mutex_);
  void note_gathered(const RequestQueue::Next& next) MM_REQUIRES(mutex_);
  void note_dropped(const std::vector<RequestQueue::Dropped>& dropped) MM_REQUIRES(mutex_);
  void note_class(Lane& lane, const InferRequest& first) MM_REQUIRES(mutex_);
  void learn(const Lane& lane, Duration time) MM_REQUIRES(mutex_);
  void add_seat(std::unique_ptr<BackendInstance> instance, InstancePlace place);
  void remove_seat();
  void fail_waiting(const Status& reason);
  void lane_thread(Lane& lane);
  void look_for_more() MM_REQUIRES(mutex_);
  void rest(Lane& lane, TimePoint until) MM_REQUIRES(mutex_);
  std::optional<RequestQueue::From> what_may_run(Lane& lane) MM_REQUIRES(mutex_);
  RequestQueue::Next next_for(const Lane& lane, RequestQueue::From from, TimePoint now,
                              std::vector<RequestQueue::Dropped>& dropped) MM_REQUIRES(mutex_);
  void let_past_limits() MM_REQUIRES(mutex_);
  void execute(Lane& lane, std::vector<InferRequestPtr> batch, CutReason reason, TimePoint start, Turn* turn,
               bool watched);
  void finished(Lane& lane, const ExecutionResult& result);
  void wake_for_work() MM_REQUIRES(mutex_);
  void wake_for_new_request(bool hurried) MM_REQUIRES(mutex_);

  void expiry_thread();
  void wait_until(CondVar& cv, TimePoint t) MM_REQUIRES(mutex_);

  const VersionPlan plan_;
  const BatchPolicy policy_;
  const bool by_shape_;
  const bool cost_aware_;
  const bool gathers_;       // waits a moment for what is about to come
  const bool splits_;        // requests of more rows than a batch
  const bool has_timeouts_;  // of the queue
  const bool may_run_on_loop_;
  TimeSource& time_;
  const std::unique_ptr<BackendModel> model_;
  const std::shared_ptr<ResponseOrder> order_;  // null unless asked for
  const std::shared_ptr<VersionCache> cache_;   // likewise

  mutable Mutex mutex_;
  RequestQueue queue_ MM_GUARDED_BY(mutex_);
  std::vector<Lane*> idle_ MM_GUARDED_BY(mutex_);  // the last to become so is the next to work: its caches are warm
  int woken_ MM_GUARDED_BY(mutex_) = 0;            // lanes told to look for work that did not yet
  int looking_ MM_GUARDED_BY(mutex_) = 0;          // of them: that have just run something and will look at once
  int watching_ MM_GUARDED_BY(mutex_) = 0;         // idle lanes that will look again when a delay is over
  int running_ MM_GUARDED_BY(mutex_) = 0;
  int lanes_ MM_GUARDED_BY(mutex_) = 0;
  InstanceGroup::Kind kind_ MM_GUARDED_BY(mutex_) = InstanceGroup::Kind::kCpu;  // of the first instance
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::string last_change_ MM_GUARDED_BY(mutex_);  // why the number of instances changed
  std::string held_back_ MM_GUARDED_BY(mutex_);    // why another one could not be made; empty: it could
  int64_t rows_done_ MM_GUARDED_BY(mutex_) = 0;
  Duration busy_ MM_GUARDED_BY(mutex_){};                           // of all executions so far
  std::vector<std::unique_ptr<Seat>> seats_ MM_GUARDED_BY(mutex_);  // they go before the model
  CondVar all_done_;
  CondVar lane_gone_;
  CondVar expiry_changed_;
  InlineGovernor governor_ MM_GUARDED_BY(mutex_);
  CostModel costs_ MM_GUARDED_BY(mutex_);
  int64_t batch_rows_ MM_GUARDED_BY(mutex_);        // what the next batch may have, about
  int64_t rows_awaited_ MM_GUARDED_BY(mutex_) = 0;  // that end the wait of a lane that watches
  ArrivalRate arrivals_ MM_GUARDED_BY(mutex_);
  ArrivalForecast forecast_ MM_GUARDED_BY(mutex_);
  Explanation::Gathering gathering_ MM_GUARDED_BY(mutex_);
  bool waited_for_more_ MM_GUARDED_BY(mutex_) = false;  // the batch that will be cut next
  /// Of lanes' threads: those that are not answered yet. Written under the lock but for answers, which count themselves
  /// out before they are sent: a client that has its answer may be back before its execution is over.
  std::atomic<int64_t> running_rows_{0};
  ObjectiveShare share_ MM_GUARDED_BY(mutex_);
  uint64_t executions_on_loop_ MM_GUARDED_BY(mutex_) = 0;

  /// Where an objective chooses the number of instances: from the first time that it is asked to.
  bool chooses_ MM_GUARDED_BY(mutex_) = false;
  /// Where that, or what one more would bring, is asked: what executions cost side by side is measured.
  bool measures_ MM_GUARDED_BY(mutex_) = false;
  ConcurrencyMeter meter_ MM_GUARDED_BY(mutex_);
  ConcurrencyCosts levels_ MM_GUARDED_BY(mutex_);
  InstancePlanner::Counts counts_ MM_GUARDED_BY(mutex_);
  InstanceOption plan_now_ MM_GUARDED_BY(mutex_);
  InstanceOutlook outlook_ MM_GUARDED_BY(mutex_);
  /// The control plane's.
  InstancePlanner planner_;
  bool planned_ = false;  // once or more
  std::string told_;      // of the plan, in the log

  /// Copies that submit() reads without the lock.
  std::atomic<InlineGovernor::State> inline_state_{InlineGovernor::State::kWarming};
  std::atomic<bool> nobody_waits_{true};
  /// Written under the lock: who sees it there adds nothing to the queue.
  std::atomic<bool> suspended_{false};
  int seats_before_ = 0;  // it was suspended; the control plane's

  std::thread expiry_thread_;  // only for models whose queue has time limits
  /// What each loop has gathered in its turn; made at need by the loop's thread, which alone uses it.
  std::array<std::atomic<TurnBatch*>, kThreadSlots> turn_batches_{};
};

}  // namespace modelmill
