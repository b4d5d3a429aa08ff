#include "schedule/version_scheduler.h"

#include <algorithm>
#include <utility>

#include "base/brief_lock.h"
#include "base/log.h"
#include "catalog/shape_class.h"
#include "request/background.h"
#include "schedule/failure_reason.h"
#include "schedule/lane.h"
#include "schedule/padding_request.h"
#include "schedule/split_request.h"
#include "schedule/turn_batch.h"

namespace modelmill {
namespace {

constexpr Duration kLeastArrivalMemory = std::chrono::milliseconds(20);
/// Shorter suspensions from the loops are noise.
constexpr Duration kSuspensionToTell = std::chrono::seconds(1);

RequestQueue::Limits limits_of(const VersionPlan& plan) {
  const BatchingDefinition& batching = plan.batching;
  return {plan.max_queue_requests,         plan.max_queue_bytes,    batching.queue,        batching.priority_levels,
          batching.default_priority_level, batching.queue_by_level, plan.takes_resources()};
}

}  // namespace

VersionScheduler::VersionScheduler(Description description, std::shared_ptr<VersionStats> stats, VersionPlan plan,
                                   std::unique_ptr<BackendModel> model,
                                   std::vector<std::unique_ptr<BackendInstance>> instances, TimeSource& time,
                                   std::shared_ptr<VersionCache> cache)
    : ModelVersion(std::move(description), std::move(stats)),
      plan_(std::move(plan)),
      policy_(BatchPolicy::from(plan_.batching, plan_.max_batch_rows)),
      by_shape_(policy_.max_rows > 1 && !plan_.ragged && !has_one_shape_class(signature())),
      cost_aware_(plan_.cost_aware && !this->definition().decoupled),
      gathers_(cost_aware_ && policy_.work_conserving() && policy_.max_rows > 1 && !plan_.concurrent_execute),
      splits_(policy_.max_rows > 1 && plan_.has_batch_dimension && !this->definition().decoupled),
      has_timeouts_(limits_of(plan_).has_timeouts()),
      may_run_on_loop_(plan_.inline_safe && !policy_.by_hand() && policy_.allowed.empty() &&
                       plan_.batching.priority_levels <= 1 && !plan_.takes_resources()),
      time_(time),
      model_(std::move(model)),
      order_(plan_.batching.preserve_ordering ? std::make_shared<ResponseOrder>() : nullptr),
      cache_(std::move(cache)),
      queue_(name(), limits_of(plan_), by_shape_),
      costs_(policy_.max_rows),
      batch_rows_(policy_.max_rows),
      arrivals_(std::max<Duration>(kLeastArrivalMemory, policy_.objective)),
      levels_(policy_.max_rows),
      planner_(policy_) {
  MM_CHECK(!instances.empty(), "a version needs an instance");
  {
    MutexLock lock(mutex_);
    costs_.seed(plan_.costs);
  }
  for (size_t i = 0; i < instances.size(); ++i)
    add_seat(std::move(instances[i]), i < plan_.places.size() ? plan_.places[i] : InstancePlace{});
  instances_are(static_cast<int>(instances.size()));
  if (has_timeouts_) expiry_thread_ = std::thread([this] { expiry_thread(); });
}

VersionScheduler::~VersionScheduler() {
  if (planned_) stats().planned(nullptr);
  std::vector<std::unique_ptr<Seat>> seats;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& seat : seats_)
      for (const auto& lane : seat->lanes) lane->hurry();
    expiry_changed_.notify_one();
    while (running_ > 0) all_done_.wait(mutex_);
    seats.swap(seats_);
  }
  for (const auto& seat : seats)
    for (const auto& lane : seat->lanes) lane->thread.join();
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
  // What an execution waits for may come before those who wait for what that execution holds: it can't be held back
  // for them.
  if (order_ && !request->holds_resources) order_->admit(*request);
  if (!cache_ || suspended()) {
    const TimePoint now = request->times.queued;
    return take_in(std::move(request), now);
  }
  // To look for a large one's answer may have taken a while.
  cache_->answer(std::move(request), [this](InferRequestPtr unknown) { take_in(std::move(unknown), time_.now()); });
}

void VersionScheduler::take_in(InferRequestPtr request, TimePoint now) {
  request->observer = this;
  stats().request_queued();
  if (Status status = no_longer_wanted(*request, now); !status.ok()) {
    request->fail(std::move(status));
    return;
  }
  if (splits_ && request->batch_rows > policy_.max_rows) {
    enqueue_parts(std::move(request));
    return;
  }
  if (hold_for_turn(request)) return;
  enqueue(std::move(request));
}

void VersionScheduler::on_completed(InferRequest& request, const Status& status) {
  request.times.compute_end = time_.now();
  // Whoever sees that it waits no more sees why.
  stats().request_failed(request.times, reason_before_running(status.code()));
  stats().requests_dequeued(1);
}

void VersionScheduler::enqueue(InferRequestPtr request) {
  Status status = enqueue(std::span(&request, 1), request->batch_rows);
  if (!status.ok()) request->fail(std::move(status));
}

void VersionScheduler::enqueue_parts(InferRequestPtr request) {
  const int64_t rows = request->batch_rows;
  std::vector<InferRequestPtr> parts = SplitRequest::split(std::move(request), policy_.max_rows, stats(), time_);
  const Status status = enqueue(parts, rows);
  if (status.ok()) return;
  for (const InferRequestPtr& part : parts) part->fail(status);
}

/// Takes the parts of one request of so many rows, or none of them: then it says why.
Status VersionScheduler::enqueue(std::span<InferRequestPtr> parts, int64_t rows) {
  const InferRequest& request = *parts.front();
  const TimePoint queued = request.times.queued;
  const bool hurried = request.deadline != kNever || has_timeouts_;
  const bool background = is_background(request), request_holds = request.holds_resources;
  Status status;
  std::vector<RequestQueue::Dropped> dropped;
  {
    BriefLock lock(mutex_);
    const TimePoint expiry_before = queue_.next_expiry();
    status = stopping_ ? unloading() : suspended() ? suspension() : in_time(request, rows);
    if (status.ok()) status = queue_.push(parts, queued, dropped);
    if (status.ok()) {
      if (!background) note_arrival(rows, queued);
      nobody_waits_.store(queue_.nobody_waits(), std::memory_order_relaxed);
      wake_for_new_request(hurried);
      if (request_holds) let_past_limits();
      if (seats_.empty() && plan_.wants_instance) plan_.wants_instance();
      if (queue_.next_expiry() != expiry_before) expiry_changed_.notify_one();
    } else if (!background) {
      counts_.rows_refused += rows;
    }
  }
  // The request, and with it *this, may be gone when it was taken; what was dropped is pinned by itself.
  fail(dropped);
  return status;
}

void VersionScheduler::drop_unwanted() {
  std::vector<RequestQueue::Dropped> dropped;
  {
    MutexLock lock(mutex_);
    queue_.drop_unwanted(time_.now(), dropped);
    nobody_waits_.store(queue_.nobody_waits(), std::memory_order_relaxed);
  }
  fail(dropped);
}

void VersionScheduler::fail(std::vector<RequestQueue::Dropped>& dropped) {
  for (auto& [request, status] : dropped) request->fail(std::move(status));
  dropped.clear();
}

std::vector<LearnedCost> VersionScheduler::learned() const {
  const MutexLock lock(mutex_);
  return costs_.learned();
}

Explanation VersionScheduler::explain() const {
  Explanation out;
  out.policy = policy_.max_rows == 1                           ? "unbatched"
               : policy_.by_hand() && !policy_.allowed.empty() ? "allowed sizes"
               : policy_.by_hand()                             ? "delay window"
               : policy_.work_conserving()                     ? "work-conserving"
                                                               : "objective";
  out.max_rows = policy_.max_rows;
  out.objective = policy_.objective;
  out.cached = cache_ != nullptr;
  if (plan_.device_uses) out.devices = plan_.device_uses();
  const MutexLock lock(mutex_);
  out.instances = static_cast<int>(seats_.size());
  for (const auto& seat : seats_) out.places.push_back(place_text(seat->place));
  out.limits = plan_.instance_limits;
  out.last_change = last_change_;
  out.held_back = held_back_;
  const int most = plan_.instance_limits.max;
  if (const auto gain = measured_gain(time_.now());
      !chooses_ && out.held_back.empty() && out.instances < most && gain && *gain < kInstanceWorthHaving)
    out.held_back = "it would bring less than 5% more rows/s, by what executions side by side were measured to take";
  out.busy = running_;
  if (gathers_) {
    out.gathering = gathering_;
    out.gathering->in_flight = forecast_.population();
  }
  out.pending = queue_.size();
  if (chooses_) out.outlook = outlook_;
  out.on_loop = !may_run_on_loop_ ? "never" : InlineGovernor::name(governor_.state());
  for (LearnedCost& cost : costs_.learned()) {
    const CostCurve& curve = *costs_.find(cost.kind, cost.shape_class);
    const double alone = curve.rate(1);
    ExplainedCost explained{std::move(cost), curve.worth(), curve.limit(), curve.explored(), curve.rate(curve.worth())};
    if (alone > 0) explained.gain = explained.rate / alone;
    out.costs.push_back(std::move(explained));
  }
  return out;
}

/// `turn` is that of the loop that runs it; null on an instance's thread.
void VersionScheduler::execute(Lane& lane, std::vector<InferRequestPtr> batch, CutReason reason, TimePoint start,
                               Turn* turn, bool watched) {
  lane.requests = static_cast<int64_t>(batch.size());
  lane.uncounted = 0;
  lane.rows = 0;
  lane.failed.all.store(0, std::memory_order_relaxed);
  lane.failed.uncounted.store(0, std::memory_order_relaxed);
  lane.late.store(0, std::memory_order_relaxed);
  lane.turn = turn;
  lane.first_answer = {};
  lane.watched = watched;
  lane.began_on = std::this_thread::get_id();
  lane.start = start;
  for (const InferRequestPtr& request : batch) {
    request->times.compute_start = lane.start;
    lane.rows += request->batch_rows;
    if (request->observer == this) {
      request->observer = &lane;
      continue;
    }
    auto& part = static_cast<SplitRequest::Part&>(*request->observer);
    part.begin(lane.failed, lane.batch);
    if (!part.counted()) ++lane.uncounted;
  }
  stats().requests_dequeued(batch.size() - static_cast<size_t>(lane.uncounted));
  lane.padded = policy_.filled(lane.rows) - lane.rows;
  if (lane.padded > 0) {
    batch.push_back(make_padding(*batch.front(), lane.padded));
    lane.rows += lane.padded;
  }
  lane.batch = {static_cast<int32_t>(lane.rows), reason};
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
  stats().executed(lane.record(input_end, infer_end, end), lane.batch.reason);

  if (lane.turn && here) lane.turn->charge(end - lane.start);

  if (lane.ticket) lane.ticket->give_back(true);

  std::string suspended;  // the name of the model that just lost its short way for long
  Duration suspension{};
  {
    BriefLock lock(mutex_);
    learn(lane, end - lane.start);
    if (measures_) note_end(lane, end);
    if (may_run_on_loop_) {
      const Duration wall = end - lane.start;
      if (governor_.observe({lane.rows, wall, end, lane.turn != nullptr, accounted ? &account : nullptr})) {
        suspension = governor_.suspension();
        if (suspension >= kSuspensionToTell) suspended = name();
      }
      inline_state_.store(governor_.state(), std::memory_order_relaxed);
    }
    busy_ += end - lane.start;
    rows_done_ += lane.rows - lane.padded;
    if (lane.state == Lane::State::kExecuting) {
      // Those of parts of larger requests, which don't count themselves out.
      running_rows_.fetch_sub(lane.unanswered.load(std::memory_order_relaxed), std::memory_order_relaxed);
      if (gathers_) forecast_.answered(end);
      lane.state = Lane::State::kThread;
      if (!here) lane.wake.notify_one();
    } else if (lane.leaving) {
      lane.state = Lane::State::kThread;
      lane.wake.notify_one();
    } else {
      lane.state = Lane::State::kIdle;
      idle_.push_back(&lane);
      // It may be one whose time to look again came while a loop had it.
      if (watching_ > 0) lane.wake.notify_one();
      wake_for_work();
    }
    if (--running_ == 0 && stopping_) all_done_.notify_one();
  }
  // *this may be gone.
  if (!suspended.empty())
    Log::info("model runs on its instances' threads for now: executions on the event loop took too long",
              {{"model", suspended}, {"seconds", to_seconds(suspension)}});
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
  if (policy_.work_conserving() && watching_ == 0) {
    const int64_t work = policy_.max_rows == 1 ? queue_.size() : queue_.rows();
    if (work > woken_ * batch_rows_) wake_for_work();
    return;
  }
  const bool others_wait = policy_.work_conserving() && queue_.rows() > queue_.rows_of_last_class();
  const bool may_end_wait = hurried || others_wait || queue_.rows_of_last_class() >= rows_awaited_;
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
    nobody_waits_.store(queue_.nobody_waits(), std::memory_order_relaxed);
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
