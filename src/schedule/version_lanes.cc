// The lanes of a version: their threads, and how they come and go.
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "base/brief_lock.h"
#include "base/log.h"
#include "catalog/shape_class.h"
#include "request/background.h"
#include "schedule/lane.h"
#include "schedule/version_scheduler.h"

namespace modelmill {
namespace {

/// Of executions on loops, one in so many is learned from.
constexpr uint64_t kLearnOnLoop = 16;

int lanes_of_instance(const VersionPlan& plan) {
  if (!plan.concurrent_execute) return 1;
  if (plan.concurrency > 0) return plan.concurrency;
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

void pin(std::thread& thread, const std::vector<int>& cores) {
  if (cores.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<size_t>(core), &set);
  // The cores were there when the model was loaded; if one has been taken away since, the thread runs anywhere.
  (void)pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
}

}  // namespace

void VersionScheduler::add_seat(std::unique_ptr<BackendInstance> instance, InstancePlace place) {
  auto seat = std::make_unique<Seat>(Seat{std::move(instance), std::move(place), {}});
  for (int i = 0; i < lanes_of_instance(plan_); ++i) {
    seat->lanes.push_back(std::make_unique<Lane>(*this, *seat->instance, seat->place.kind));
    if (seat->place.claim) seat->lanes.back()->ticket = std::make_unique<ExecutionTicket>(seat->place.claim);
  }
  const MutexLock lock(mutex_);
  for (const auto& lane : seat->lanes) {
    lane->thread = std::thread([this, l = lane.get()] { lane_thread(*l); });
    pthread_setname_np(lane->thread.native_handle(), ("run " + name()).substr(0, 15).c_str());
    pin(lane->thread, seat->place.cores);
  }
  if (seats_.empty()) kind_ = seat->place.kind;
  lanes_ += static_cast<int>(seat->lanes.size());
  seats_.push_back(std::move(seat));
}

/// The instance that came last leaves when what it runs is done.
void VersionScheduler::remove_seat() {
  std::unique_ptr<Seat> seat;
  {
    const MutexLock lock(mutex_);
    if (seats_.empty()) return;
    seat = std::move(seats_.back());
    seats_.pop_back();
    lanes_ -= static_cast<int>(seat->lanes.size());
    for (const auto& lane : seat->lanes) {
      lane->leaving = true;
      lane->hurry();
    }
    for (const auto& lane : seat->lanes)
      while (lane->state != Lane::State::kGone) lane_gone_.wait(mutex_);
  }
  for (const auto& lane : seat->lanes) lane->thread.join();
}

Status VersionScheduler::set_instances(int count, ScalingReason reason, const std::string& text) {
  if (plan_.concurrent_execute)
    return failed_precondition("model '" + name() + "' has one instance that runs everything; its number is fixed");
  if (!plan_.make_instance)
    return failed_precondition("model '" + name() + "' was loaded with a fixed number of instances");
  {
    const MutexLock lock(mutex_);
    last_change_ = text;
  }
  while (true) {
    int have = 0;
    {
      const MutexLock lock(mutex_);
      have = static_cast<int>(seats_.size());
    }
    instances_are(have, reason);
    if (have == count) {
      const MutexLock lock(mutex_);
      held_back_.clear();
      return ok_status();
    }
    if (have > count) {
      remove_seat();
      continue;
    }
    const auto index = static_cast<size_t>(have);
    InstancePlace place = plan_.places.empty() ? InstancePlace{} : plan_.places[index % plan_.places.size()];
    auto instance = plan_.make_instance(*model_, have, place);
    if (!instance.ok()) {
      {
        const MutexLock lock(mutex_);
        held_back_ = instance.status().message();
      }
      if (have == 0)
        fail_waiting(unavailable("model '" + name() + "' has no instance to run it: " + instance.status().message()));
      return instance.status();
    }
    add_seat(*std::move(instance), std::move(place));
  }
}

Status VersionScheduler::suspension() const {
  return unavailable("model '" + name() + "' version " + std::to_string(version()) +
                     " has no instances, as it was told; scale it up, and it answers again");
}

Status VersionScheduler::suspend(const std::string& text) {
  for (const auto& [signature, other] : other_signatures()) (void)other->suspend(text);
  {
    const MutexLock lock(mutex_);
    if (!suspended()) seats_before_ = static_cast<int>(seats_.size());
    suspended_.store(true, std::memory_order_relaxed);
  }
  // Where they stay, what waits is theirs.
  if (plan_.concurrent_execute || !plan_.make_instance) return ok_status();
  MM_RETURN_IF_ERROR(set_instances(0, ScalingReason::kClient, text));
  fail_waiting(suspension());
  return ok_status();
}

void VersionScheduler::resume() {
  for (const auto& [signature, other] : other_signatures()) other->resume();
  // Whoever was given none since has those from before again, as the other signatures of a model that was scaled.
  if (suspended() && load().instances == 0 && seats_before_ > 0) {
    const Status status = set_instances(seats_before_, ScalingReason::kClient, "it is asked again");
    if (!status.ok()) {
      Log::error("a version stays without instances",
                 {{"model", name()}, {"version", version()}, {"reason", status.message()}});
      return;
    }
  }
  const MutexLock lock(mutex_);
  suspended_.store(false, std::memory_order_relaxed);
}

/// There is no instance to run it.
void VersionScheduler::fail_waiting(const Status& reason) {
  std::vector<InferRequestPtr> waiting;
  {
    const MutexLock lock(mutex_);
    waiting = queue_.drain();
    nobody_waits_.store(true, std::memory_order_relaxed);
  }
  for (const InferRequestPtr& request : waiting) request->fail(reason);
}

InstanceLoad VersionScheduler::load() const {
  const MutexLock lock(mutex_);
  return {static_cast<int>(seats_.size()), running_, queue_.size(), busy_, rows_done_};
}

void VersionScheduler::lane_thread(Lane& lane) {
  // Waits for what is about to come are shorter than the 50 us that the kernel may add to them.
  if (gathers_) (void)prctl(PR_SET_TIMERSLACK, 1'000UL);
  std::vector<RequestQueue::Dropped> dropped;
  lock_briefly(mutex_);
  bool ran = false;  // since it last looked for more
  while (!stopping_ && !lane.leaving) {
    const auto from = what_may_run(lane);
    if (!from) continue;
    const TimePoint now = time_.now();
    RequestQueue::Next next = next_for(lane, *from, now, dropped);
    if (lane.ticket && next.batch.empty()) lane.ticket->give_back(false);
    if (next.batch.empty() && dropped.empty()) {
      rows_awaited_ = next.decision.goal;
      waited_for_more_ |= gathers_ && next.decision.until != kNever;
      if (std::exchange(ran, false) && next.decision.until == kNever)
        look_for_more();
      else
        rest(lane, next.decision.until);
      continue;
    }
    bool watched = false;
    if (!next.batch.empty()) {
      ran = true;
      lane.state = Lane::State::kExecuting;
      ++running_;
      int64_t rows = 0;
      for (const InferRequestPtr& request : next.batch) rows += request->batch_rows;
      lane.unanswered.store(rows, std::memory_order_relaxed);
      running_rows_.fetch_add(rows, std::memory_order_relaxed);
      if (gathers_) note_gathered(next);
      if (measures_) note_begin(lane, now);
      note_class(lane, *next.batch.front());
      watched = may_run_on_loop_ && governor_.watches();
      wake_for_work();
    }
    mutex_.unlock();
    fail(dropped);
    if (!next.batch.empty()) execute(lane, std::move(next.batch), next.decision.reason, now, nullptr, watched);
    lock_briefly(mutex_);
    while (lane.state == Lane::State::kExecuting) lane.wake.wait(mutex_);
  }
  if (lane.ticket) lane.ticket->give_back(false);
  lane.state = Lane::State::kGone;
  if (!stopping_) {
    // What it was told to look for is another's now.
    wake_for_work();
    lane_gone_.notify_one();
  }
  mutex_.unlock();
}

/// The batch that the lane begins now, or until when it waits.
RequestQueue::Next VersionScheduler::next_for(const Lane& lane, RequestQueue::From from, TimePoint now,
                                              std::vector<RequestQueue::Dropped>& dropped) {
  const InstanceView instances{1 + static_cast<int>(idle_.size()), lane.kind};
  // What somebody waits for who may hold what others need waits for no more to come.
  std::optional<BatchPolicy> at_once;
  if (from == RequestQueue::From::kForemost) at_once = without_waits(policy_);
  RequestQueue::Next next = queue_.next(at_once ? *at_once : policy_, now, instances, dropped,
                                        cost_aware_ ? &costs_ : nullptr, at_once ? LoadView{} : load_view(now), from);
  nobody_waits_.store(queue_.nobody_waits(), std::memory_order_relaxed);
  if (chooses_ && !dropped.empty()) note_dropped(dropped);
  return next;
}

/// What the lane may begin of what waits: all, as it has taken what that needs, or needs nothing; or only what waits
/// for no resources. Nullopt: it has waited, and things may have changed.
std::optional<RequestQueue::From> VersionScheduler::what_may_run(Lane& lane) {
  if (!lane.ticket || queue_.empty() || lane.ticket->try_take()) return RequestQueue::From::kAll;
  if (queue_.foremost() > 0) return RequestQueue::From::kForemost;
  // Another instance may need other resources, or none.
  wake_for_work();
  mutex_.unlock();
  (void)lane.ticket->wait();
  lock_briefly(mutex_);
  return std::nullopt;
}

/// A request is in the queue that an execution waits for: it waits for no resources.
void VersionScheduler::let_past_limits() {
  for (const auto& seat : seats_)
    for (const auto& lane : seat->lanes)
      if (lane->ticket && lane->state == Lane::State::kThread) lane->ticket->interrupt();
}

/// A lane that has run something expects more at once: under load it saves its sleep and another thread its waking.
void VersionScheduler::look_for_more() {
  constexpr int kLooks = 64;
  ++woken_;
  ++looking_;
  mutex_.unlock();
  for (int look = 0; look < kLooks && nobody_waits_.load(std::memory_order_relaxed); ++look) pause_briefly();
  lock_briefly(mutex_);
  --looking_;
  --woken_;
}

/// What the execution that the lane begins will teach about.
void VersionScheduler::note_class(Lane& lane, const InferRequest& first) {
  lane.background = is_background(first);
  if (!cost_aware_) return;
  lane.shapes.clear();
  if (!by_shape_) return;
  lane.shape_class = shape_class_hash(first);
  if (!costs_.has(lane.kind, lane.shape_class)) lane.shapes = shape_class_text(first);
}

void VersionScheduler::learn(const Lane& lane, Duration time) {
  if (policy_.objective > Duration{} && !lane.background) {
    const int64_t late = lane.late.load(std::memory_order_relaxed);
    for (int64_t i = 0; i < lane.requests; ++i) share_.observe(i < late);
  }
  if (!cost_aware_ || lane.failed.all.load(std::memory_order_relaxed) > 0) return;
  // Executions on a loop are many and short; some of them tell enough.
  if (lane.turn && executions_on_loop_++ % kLearnOnLoop != 0) return;
  CostCurve& curve = costs_.curve(lane.kind, lane.shape_class, [&lane] { return lane.shapes; });
  curve.learn(lane.rows, time);
  batch_rows_ = std::min(policy_.max_rows, curve.limit());
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
    if (lane.state == Lane::State::kThread) break;  // left by a loop, to go
    if (lane.leaving && lane.state == Lane::State::kIdle) {
      std::erase(idle_, &lane);
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

}  // namespace modelmill
