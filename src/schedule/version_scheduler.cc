#include "schedule/version_scheduler.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "schedule/shape_class.h"

namespace modelmill {
namespace {

Duration from_timeval(const timeval& t) { return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec); }

/// The kernel's account of the calling thread so far.
struct ThreadUsage {
  Duration processor{};
  long slept = 0;

  static ThreadUsage now() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return {from_timeval(usage.ru_utime) + from_timeval(usage.ru_stime), usage.ru_nvcsw};
  }
};

FailureReason reason_before_running(Code code) {
  switch (code) {
    case Code::kCancelled:
    case Code::kDeadlineExceeded: return FailureReason::kCanceled;
    case Code::kUnavailable:
    case Code::kResourceExhausted: return FailureReason::kRejected;
    default: return FailureReason::kOther;
  }
}

FailureReason reason_while_running(Code code) {
  return code == Code::kCancelled || code == Code::kDeadlineExceeded ? FailureReason::kCanceled : FailureReason::kBackend;
}

int lanes_of_instance(const VersionPlan& plan) {
  if (!plan.concurrent_execute) return 1;
  if (plan.concurrency > 0) return plan.concurrency;
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

bool has_time_limits(const QueuePolicy& policy) {
  return policy.default_timeout.count() > 0 || policy.allow_timeout_override;
}

RequestQueue::Limits limits_of(const VersionPlan& plan) {
  return {plan.max_queue_requests, plan.max_queue_bytes, plan.batching.queue};
}

}  // namespace

/// One execution at a time on an instance. Counts the requests of its execution as they complete.
class VersionScheduler::Lane final : public RequestObserver {
 public:
  enum class State {
    kIdle,       // nobody's; in idle_
    kWoken,      // its thread has been told to look for work
    kThread,     // its thread's
    kExecuting,  // runs a batch that its thread began
    kOnLoop,     // runs a batch that a loop began
  };

  Lane(VersionScheduler& version, BackendInstance& instance) : version(version), instance(instance) {}

  void on_completed(InferRequest& request, const Status& status) override {
    request.times.compute_end = version.time_.now();
    if (status.ok()) {
      version.stats().request_succeeded(request.times, request.batch_rows);
    } else {
      failed.fetch_add(1, std::memory_order_relaxed);
      version.stats().request_failed(request.times, reason_while_running(status.code()));
    }
  }

  VersionScheduler& version;
  BackendInstance& instance;
  std::thread thread;
  CondVar wake;
  State state = State::kThread;  // guarded by the version's mutex_

  // The execution, written by whoever began it, read by whoever ends it.
  int64_t rows = 0;
  int64_t requests = 0;
  std::atomic<int64_t> failed{0};
  TimePoint start{};
  CutReason reason = CutReason::kIdleInstance;
  bool on_loop = false;
  bool watched = false;
  std::thread::id began_on;
  ThreadUsage usage_before;
};

/// What the requests of one turn of one loop are gathered in.
class VersionScheduler::TurnBatch final : public Turn::Listener {
 public:
  explicit TurnBatch(VersionScheduler& version) : version_(version) {}

  void on_turn_end(Turn& turn) override {
    // The requests' pins keep the version alive only until they complete; this stays inside until it is done with it.
    Gate& gate = version_.gate();
    gate.enter_again();
    std::vector<InferRequestPtr> now;
    now.swap(held);
    version_.run_turn(turn, now);
    now.clear();
    if (held.empty()) held.swap(now);  // keeps the memory
    gate.leave();
  }

  std::vector<InferRequestPtr> held;

 private:
  VersionScheduler& version_;
};

VersionScheduler::VersionScheduler(Description description, std::shared_ptr<VersionStats> stats, VersionPlan plan,
                                   std::unique_ptr<BackendModel> model,
                                   std::vector<std::unique_ptr<BackendInstance>> instances, TimeSource& time)
    : ModelVersion(std::move(description), std::move(stats)),
      plan_(std::move(plan)),
      policy_(BatchPolicy::from(plan_.batching, plan_.max_batch_rows)),
      by_shape_(policy_.max_rows > 1 && !plan_.ragged && !has_one_shape_class(signature())),
      may_run_on_loop_(plan_.inline_safe && policy_.work_conserving()),
      time_(time),
      model_(std::move(model)),
      instances_(std::move(instances)),
      order_(plan_.batching.preserve_ordering ? std::make_shared<ResponseOrder>() : nullptr),
      queue_(name(), limits_of(plan_), by_shape_) {
  MM_CHECK(!instances_.empty(), "a version needs an instance");
  if (!may_run_on_loop_) inline_state_ = InlineGovernor::State::kEnded;
  for (const auto& instance : instances_)
    for (int i = 0; i < lanes_of_instance(plan_); ++i) lanes_.push_back(std::make_unique<Lane>(*this, *instance));
  for (const auto& lane : lanes_) {
    lane->thread = std::thread([this, l = lane.get()] { lane_thread(*l); });
    pthread_setname_np(lane->thread.native_handle(), ("run " + name()).substr(0, 15).c_str());
  }
  if (has_time_limits(plan_.batching.queue)) expiry_thread_ = std::thread([this] { expiry_thread(); });
}

VersionScheduler::~VersionScheduler() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& lane : lanes_) lane->wake.notify_one();
    expiry_changed_.notify_one();
    while (running_ > 0) all_done_.wait(mutex_);
  }
  for (const auto& lane : lanes_) lane->thread.join();
  if (expiry_thread_.joinable()) expiry_thread_.join();
  std::vector<InferRequestPtr> left;
  {
    MutexLock lock(mutex_);
    left = queue_.drain();
  }
  for (auto& slot : turn_batches_) {
    const std::unique_ptr<TurnBatch> batch(slot.load(std::memory_order_acquire));
    if (batch) std::move(batch->held.begin(), batch->held.end(), std::back_inserter(left));
  }
  for (const InferRequestPtr& request : left) request->fail(unloading());
}

Status VersionScheduler::unloading() const {
  return unavailable("model '" + name() + "' version " + std::to_string(version()) + " is being unloaded");
}

void VersionScheduler::submit(InferRequestPtr request) {
  request->times.queued = time_.now();
  request->observer = this;
  stats().request_queued();
  if (order_) order_->admit(*request);
  if (Status status = admit(*request); !status.ok()) {
    request->fail(std::move(status));
    return;
  }
  if (hold_for_turn(request)) return;
  enqueue(std::move(request));
}

Status VersionScheduler::admit(const InferRequest& request) const {
  const int64_t limit = definition().max_batch_size.value_or(0);
  if (limit > 0 && request.batch_rows > limit)
    return invalid_argument("inference request batch-size must be <= " + std::to_string(limit) + " for '" + name() + "'");
  return no_longer_wanted(request, request.times.queued);
}

void VersionScheduler::on_completed(InferRequest& request, const Status& status) {
  request.times.compute_end = time_.now();
  stats().requests_dequeued(1);
  stats().request_failed(request.times, reason_before_running(status.code()));
}

void VersionScheduler::enqueue(InferRequestPtr request) {
  const bool hurried = request->deadline != kNever || has_time_limits(plan_.batching.queue);
  Status status;
  {
    MutexLock lock(mutex_);
    const TimePoint expiry_before = queue_.next_expiry();
    status = stopping_ ? unloading() : queue_.push(request, request->times.queued);
    if (status.ok()) {
      queue_empty_.store(false, std::memory_order_relaxed);
      wake_for_new_request(hurried);
      if (queue_.next_expiry() != expiry_before) expiry_changed_.notify_one();
      return;  // the request, and with it *this, may be gone once the lock is
    }
  }
  request->fail(std::move(status));
}

void VersionScheduler::fail(std::vector<RequestQueue::Dropped>& dropped) {
  for (auto& [request, status] : dropped) request->fail(std::move(status));
  dropped.clear();
}

// ---- on the loop ------------------------------------------------------------------------------------------------------

VersionScheduler::TurnBatch* VersionScheduler::turn_batch() {
  const size_t slot = thread_slot();
  if (slot >= kThreadSlots) return nullptr;
  TurnBatch* batch = turn_batches_[slot].load(std::memory_order_acquire);
  if (!batch) {
    batch = new TurnBatch(*this);  // owned by the slot, deleted in the destructor
    turn_batches_[slot].store(batch, std::memory_order_release);
  }
  return batch;
}

bool VersionScheduler::hold_for_turn(InferRequestPtr& request) {
  if (inline_state_.load(std::memory_order_relaxed) != InlineGovernor::State::kAllowed) return false;
  Turn* turn = Turn::current();
  if (!turn) return false;
  TurnBatch* batch = turn_batch();
  if (!batch) return false;
  // What is queued comes first. But once a turn holds requests the later ones stay behind them.
  if (batch->held.empty()) {
    if (!queue_empty_.load(std::memory_order_relaxed) || turn->budget_left() <= Duration{}) return false;
    turn->at_end(batch);
  }
  batch->held.push_back(std::move(request));
  return true;
}

void VersionScheduler::run_turn(Turn& turn, std::vector<InferRequestPtr>& held) {
  size_t next = 0;
  while (true) {
    while (next < held.size() && !held[next]) ++next;  // taken into an earlier batch
    if (next == held.size()) return;
    const TimePoint begin = time_.now();
    if (Status status = no_longer_wanted(*held[next], begin); !status.ok()) {
      held[next++]->fail(std::move(status));
      continue;
    }
    const Prefix all = measure(held, next, policy_.max_rows);
    int64_t allowed = 0;
    bool watched = false;
    Lane* lane = begin_on_loop(held[next]->batch_rows, all.rows, turn.budget_left(), allowed, watched);
    if (!lane) break;
    const CutReason reason = all.full || allowed < all.rows ? CutReason::kFull : CutReason::kIdleInstance;
    execute(*lane, take_batch(held, next, std::min(allowed, policy_.max_rows)), reason, /*on_loop=*/true, watched);
    turn.charge(time_.now() - begin);
  }
  for (; next < held.size(); ++next)
    if (held[next]) enqueue(std::move(held[next]));
}

VersionScheduler::Prefix VersionScheduler::measure(const std::vector<InferRequestPtr>& held, size_t from,
                                                   int64_t max_rows) const {
  Prefix prefix;
  for (size_t i = from; i < held.size(); ++i) {
    if (!held[i] || (i > from && by_shape_ && !same_shape_class(*held[from], *held[i]))) continue;
    if (i > from && prefix.rows + held[i]->batch_rows > max_rows) {
      prefix.full = true;
      return prefix;
    }
    prefix.rows += held[i]->batch_rows;
  }
  prefix.full = prefix.rows >= max_rows;
  return prefix;
}

std::vector<InferRequestPtr> VersionScheduler::take_batch(std::vector<InferRequestPtr>& held, size_t from,
                                                          int64_t max_rows) const {
  std::vector<InferRequestPtr> batch;
  int64_t rows = held[from]->batch_rows;
  batch.push_back(std::move(held[from]));
  for (size_t i = from + 1; i < held.size() && rows < max_rows; ++i) {
    if (!held[i] || (by_shape_ && !same_shape_class(*batch.front(), *held[i]))) continue;
    if (rows + held[i]->batch_rows > max_rows) break;
    rows += held[i]->batch_rows;
    batch.push_back(std::move(held[i]));
  }
  return batch;
}

VersionScheduler::Lane* VersionScheduler::begin_on_loop(int64_t first, int64_t wanted, Duration budget, int64_t& allowed,
                                                        bool& watched) {
  MutexLock lock(mutex_);
  if (stopping_ || !queue_.empty() || idle_.empty()) return nullptr;
  allowed = governor_.allowed_rows(wanted, budget);
  if (allowed < first) return nullptr;
  Lane* lane = idle_.back();
  idle_.pop_back();
  lane->state = Lane::State::kOnLoop;
  ++running_;
  watched = governor_.watches();
  return lane;
}

// ---- on the lanes -----------------------------------------------------------------------------------------------------

void VersionScheduler::lane_thread(Lane& lane) {
  std::vector<RequestQueue::Dropped> dropped;
  mutex_.lock();
  while (!stopping_) {
    RequestQueue::Next next = queue_.next(policy_, time_.now(), InstanceView{.idle = 1}, dropped);
    queue_empty_.store(queue_.empty(), std::memory_order_relaxed);
    if (next.batch.empty() && dropped.empty()) {
      rest(lane, next.decision.until);
      continue;
    }
    bool watched = false;
    if (!next.batch.empty()) {
      lane.state = Lane::State::kExecuting;
      ++running_;
      watched = may_run_on_loop_ && governor_.watches();
      wake_for_work();
    }
    mutex_.unlock();
    fail(dropped);
    if (!next.batch.empty())
      execute(lane, std::move(next.batch), next.decision.reason, /*on_loop=*/false, watched);
    mutex_.lock();
    while (lane.state == Lane::State::kExecuting) lane.wake.wait(mutex_);
  }
  mutex_.unlock();
}

/// The lane is nobody's until it is woken, or `until`; then it is its thread's again.
void VersionScheduler::rest(Lane& lane, TimePoint until) {
  lane.state = Lane::State::kIdle;
  idle_.push_back(&lane);
  const int watching = until == kNever ? 0 : 1;
  watching_ += watching;
  while (!stopping_) {
    if (lane.state == Lane::State::kWoken) {
      --woken_;
      break;
    }
    const bool idle = lane.state == Lane::State::kIdle;
    if (idle && until != kNever && time_.now() >= until) {
      std::erase(idle_, &lane);
      break;
    }
    wait_until(lane.wake, idle ? until : kNever);
  }
  watching_ -= watching;
  if (!stopping_) lane.state = Lane::State::kThread;
}

void VersionScheduler::execute(Lane& lane, std::vector<InferRequestPtr> batch, CutReason reason, bool on_loop,
                               bool watched) {
  lane.requests = static_cast<int64_t>(batch.size());
  lane.rows = 0;
  lane.failed.store(0, std::memory_order_relaxed);
  lane.reason = reason;
  lane.on_loop = on_loop;
  lane.watched = watched;
  lane.began_on = std::this_thread::get_id();
  lane.start = time_.now();
  for (const InferRequestPtr& request : batch) {
    request->times.compute_start = lane.start;
    request->observer = &lane;
    lane.rows += request->batch_rows;
  }
  stats().requests_dequeued(batch.size());
  if (watched) lane.usage_before = ThreadUsage::now();
  BackendInstance& instance = lane.instance;
  instance.execute(std::move(batch), [this, &lane](const ExecutionResult& result) { finished(lane, result); });
}

void VersionScheduler::finished(Lane& lane, const ExecutionResult& result) {
  const TimePoint end = time_.now();
  const TimePoint input_end = std::clamp(result.input_end, lane.start, std::max(lane.start, end));
  const TimePoint infer_end =
      result.infer_end == TimePoint{} ? end : std::clamp(result.infer_end, input_end, std::max(input_end, end));
  const bool here = lane.began_on == std::this_thread::get_id();
  InlineGovernor::Account account;
  const bool accounted = lane.watched && here;
  if (accounted) {
    const ThreadUsage usage = ThreadUsage::now();
    account = {usage.processor - lane.usage_before.processor, usage.slept != lane.usage_before.slept};
  }
  stats().executed({.rows = lane.rows,
                    .requests = lane.requests,
                    .failed = lane.failed.load(std::memory_order_relaxed),
                    .input = input_end - lane.start,
                    .infer = infer_end - input_end,
                    .output = end - infer_end},
                   lane.reason);

  std::string ended;  // the name of the model that just lost its short way
  {
    MutexLock lock(mutex_);
    if (may_run_on_loop_) {
      const Duration wall = end - lane.start;
      if (governor_.observe({lane.rows, wall, lane.on_loop, accounted ? &account : nullptr})) ended = name();
      inline_state_.store(governor_.state(), std::memory_order_relaxed);
    }
    if (lane.state == Lane::State::kExecuting) {
      lane.state = Lane::State::kThread;
      if (!here) lane.wake.notify_one();
    } else {
      lane.state = Lane::State::kIdle;
      idle_.push_back(&lane);
      wake_for_work();
    }
    if (--running_ == 0 && stopping_) all_done_.notify_one();
  }
  // *this may be gone.
  if (!ended.empty())
    Log::info("model runs on its instances' threads from now on: executions on the event loop took too long",
              {{"model", ended}});
}

void VersionScheduler::wake_for_work() {
  if (queue_.empty() || idle_.empty()) return;
  Lane* lane = idle_.back();
  idle_.pop_back();
  lane->state = Lane::State::kWoken;
  ++woken_;
  lane->wake.notify_one();
}

/// Wakes a lane unless those already woken, or one that waits for a delay to be over, will do.
void VersionScheduler::wake_for_new_request(bool hurried) {
  if (policy_.work_conserving()) {
    const int64_t work = policy_.max_rows == 1 ? queue_.size() : queue_.rows();
    if (work > woken_ * policy_.max_rows) wake_for_work();
    return;
  }
  const bool may_end_wait = hurried || queue_.rows_of_last_class() >= policy_.smallest_goal();
  if (woken_ == 0 && (watching_ == 0 || may_end_wait)) wake_for_work();
}

void VersionScheduler::wait_until(CondVar& cv, TimePoint t) {
  if (t == kNever) {
    cv.wait(mutex_);
  } else {
    cv.wait_until(mutex_, Clock::now() + (t - time_.now()));
  }
}

void VersionScheduler::expiry_thread() {
  std::vector<RequestQueue::Dropped> dropped;
  mutex_.lock();
  while (!stopping_) {
    queue_.expire(time_.now(), dropped);
    queue_empty_.store(queue_.empty(), std::memory_order_relaxed);
    if (dropped.empty()) {
      wait_until(expiry_changed_, queue_.next_expiry());
      continue;
    }
    mutex_.unlock();
    fail(dropped);
    mutex_.lock();
  }
  mutex_.unlock();
}

}  // namespace modelmill
