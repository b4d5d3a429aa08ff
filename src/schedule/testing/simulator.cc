#include "schedule/testing/simulator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "catalog/shape_class.h"
#include "schedule/admission.h"
#include "schedule/arrival_rate.h"
#include "schedule/concurrency_costs.h"
#include "schedule/concurrency_meter.h"
#include "schedule/instance_planner.h"
#include "schedule/objective_share.h"

namespace modelmill::testing {
namespace {

Duration from_seconds(double seconds) { return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9)); }

constexpr InstanceGroup::Kind kCpu = InstanceGroup::Kind::kCpu;
constexpr TimePoint kBegin{std::chrono::seconds(1'000)};

/// Counts the answers of one request.
class Answers final : public ResponseSink {
 public:
  explicit Answers(int& count) : count_(count) {}
  void on_response(InferResponse, bool, bool) override { ++count_; }

 private:
  int& count_;
};

class Simulator {
 public:
  explicit Simulator(const Scenario& scenario)
      : s_(scenario),
        random_(scenario.seed),
        arrivals_random_(scenario.seed + 1),
        queue_("simulated", scenario.limits, scenario.by_shape),
        costs_(scenario.policy.max_rows),
        arrivals_(std::max<Duration>(std::chrono::milliseconds(20), scenario.policy.objective)),
        levels_(scenario.policy.max_rows),
        planner_(scenario.policy),
        instances_(scenario.chosen.max > 0 ? scenario.chosen.min : scenario.instances) {
    out_.length = scenario.length;
    if (scenario.chosen.max > 0) plan_at_ = now_ + Scenario::kPlanned;
  }

  Simulation run() {
    // Requests keep their places, for their sinks count in them.
    std::vector<std::unique_ptr<SimulatedRequest>> requests;
    requests_ = &requests;
    const TimePoint end = now_ + s_.length;
    next_arrival_ = now_ + s_.gap(arrivals_random_);
    while (true) {
      if (next_arrival_ >= end) next_arrival_ = kNever;
      if (plan_at_ >= end) plan_at_ = kNever;
      const TimePoint at = next_event();
      if (at == kNever) break;
      note_idle(at);
      now_ = std::max(now_, at);
      finish_batches();
      if (plan_at_ <= now_) plan();
      if (next_arrival_ <= now_) {
        arrive();
        next_arrival_ = now_ + s_.gap(arrivals_random_);
      }
      cancel_due();
      queue_.expire(now_, dropped_);
      settle_dropped();
      dispatch();
      out_.most_waiting = std::max(out_.most_waiting, queue_.size());
      out_.most_bytes = std::max(out_.most_bytes, queue_.bytes());
    }
    for (const auto& request : requests) out_.requests.push_back(*request);
    return std::move(out_);
  }

 private:
  struct Running {
    std::vector<InferRequestPtr> requests;
    TimePoint started{};
    int64_t rows = 0;
    int64_t padded = 0;  // of them: nobody's
    uint64_t shape_class = 0;
    ConcurrencyMeter::Mark mark;
  };

  int idle() const { return std::max(0, instances_ - static_cast<int>(running_.size())); }

  TimePoint next_event() const {
    TimePoint at = std::min({next_arrival_, ask_again_, plan_at_, queue_.next_expiry()});
    if (!running_.empty()) at = std::min(at, running_.begin()->first);
    if (!to_cancel_.empty()) at = std::min(at, to_cancel_.begin()->first);
    return at;
  }

  void note_idle(TimePoint until) {
    if (idle() == 0 || until <= now_) return;
    if (!out_.idle.empty() && out_.idle.back().second == now_) {
      out_.idle.back().second = until;
    } else {
      out_.idle.emplace_back(now_, until);
    }
  }

  SimulatedRequest& of(const InferRequest& request) { return *(*requests_)[std::stoul(request.id)]; }

  void end(SimulatedRequest& request, SimulatedEnd how, Code code) {
    request.end = how;
    request.code = code;
    request.ended = now_;
  }

  void arrive() {
    auto& record = *requests_->emplace_back(std::make_unique<SimulatedRequest>());
    record.asked = s_.arrival(arrivals_random_);
    record.arrived = now_;
    auto request = std::make_unique<InferRequest>(std::make_shared<Answers>(record.answers));
    request->model = "simulated";
    request->id = std::to_string(requests_->size() - 1);
    request->batch_rows = record.asked.rows;
    request->priority = record.asked.priority;
    request->timeout = record.asked.timeout;
    request->times.queued = now_;
    if (record.asked.deadline != Duration::max()) request->deadline = now_ + record.asked.deadline;
    Tensor x{"x", DataType::kUint8, {record.asked.rows, record.asked.width}, {}};
    x.data.push_back(Bytes(Memory::allocate(static_cast<size_t>(record.asked.rows * record.asked.width))));
    request->inputs.push_back(std::move(x));
    if (record.asked.cancelled != Duration::max()) {
      request->cancel = std::make_shared<CancelToken>();
      to_cancel_.emplace(now_ + record.asked.cancelled, request->cancel);
    }
    note_level(record);
    Status status = admitted(*request);
    if (status.ok()) status = queue_.push(request, now_, dropped_);
    settle_dropped();
    if (status.ok()) {
      arrivals_.add(record.asked.rows, now_);
      return;
    }
    counts_.rows_refused += record.asked.rows;
    end(record, SimulatedEnd::kRefused, status.code());
    request->fail(status);
  }

  void note_level(SimulatedRequest& request) const {
    const RequestQueue::Limits& limits = s_.limits;
    if (limits.levels > 1)
      request.level = request.asked.priority > 0 && request.asked.priority <= limits.levels ? request.asked.priority
                                                                                            : limits.default_level;
    const auto own = limits.by_level.find(request.level);
    const QueuePolicy& policy = own != limits.by_level.end() ? own->second : limits.policy;
    auto timeout = policy.default_timeout;
    if (policy.allow_timeout_override && request.asked.timeout.count() > 0 &&
        (timeout.count() == 0 || request.asked.timeout < timeout))
      timeout = request.asked.timeout;
    if (timeout.count() > 0 && policy.timeout_action == QueuePolicy::TimeoutAction::kReject)
      request.expires = request.arrived + timeout;
  }

  Status admitted(const InferRequest& request) const {
    if (!s_.learns) return ok_status();
    const CostCurve* cost = costs_.find(kCpu, class_of(request));
    const WorkAhead ahead{queue_.rows_before(request), instances_, idle()};
    const Admission admission = admit(s_.policy, ahead, cost, now_, request.deadline, share(), load_view().most_rows);
    if (admission.verdict == Admission::Verdict::kAdmitted) return ok_status();
    return admission.verdict == Admission::Verdict::kMissesDeadline ? deadline_exceeded("too late")
                                                                    : unavailable("too late");
  }

  uint64_t class_of(const InferRequest& request) const { return s_.by_shape ? shape_class_hash(request) : 0; }

  void cancel_due() {
    bool any = false;
    for (; !to_cancel_.empty() && to_cancel_.begin()->first <= now_; to_cancel_.erase(to_cancel_.begin()))
      any |= to_cancel_.begin()->second->cancel(CancelToken::Reason::kClientGone);
    if (any) queue_.drop_unwanted(now_, dropped_);
  }

  void settle_dropped() {
    for (auto& [request, status] : dropped_) {
      counts_.rows_refused += request->batch_rows;
      end(of(*request), SimulatedEnd::kDropped, status.code());
      request->fail(status);
    }
    dropped_.clear();
  }

  void dispatch() {
    ask_again_ = kNever;
    while (idle() > 0) {
      RequestQueue::Next next =
          queue_.next(s_.policy, now_, {idle(), kCpu}, dropped_, s_.learns ? &costs_ : nullptr, load_view());
      const bool any_dropped = !dropped_.empty();
      settle_dropped();
      if (!next.batch.empty()) {
        start(std::move(next));
      } else if (!any_dropped) {
        ask_again_ = next.decision.until;
        return;
      }
    }
  }

  void start(RequestQueue::Next next) {
    Running running;
    SimulatedBatch batch{now_, {}, 0, 0, next.decision.reason};
    running.shape_class = class_of(*next.batch.front());
    for (const InferRequestPtr& request : next.batch) {
      SimulatedRequest& record = of(*request);
      record.started = now_;
      record.batch = static_cast<int64_t>(out_.batches.size());
      batch.requests.push_back(std::stoul(request->id));
      batch.rows += request->batch_rows;
    }
    running.requests = std::move(next.batch);
    running.started = now_;
    batch.filled = s_.policy.filled(batch.rows);
    running.rows = batch.filled;
    running.padded = batch.filled - batch.rows;
    out_.batches.push_back(std::move(batch));
    const size_t beside = running_.size();
    change_speed(beside, beside + 1);
    meter_.change(static_cast<int>(beside + 1), now_);
    running.mark = meter_.mark(now_);
    const Duration alone = s_.batch_time(running.rows, random_);
    running_.emplace(now_ + times(alone, slowdown(beside + 1)), std::move(running));
  }

  double slowdown(size_t running) const { return s_.slowdown ? s_.slowdown(static_cast<int>(running)) : 1; }
  static Duration times(Duration d, double factor) { return factor == 1 ? d : from_seconds(to_seconds(d) * factor); }

  /// What runs goes on with another number beside it.
  void change_speed(size_t before, size_t after) {
    if (!s_.slowdown || before == 0) return;
    const double factor = slowdown(after) / slowdown(before);
    std::multimap<TimePoint, Running> running;
    for (auto& [end, one] : running_) running.emplace(now_ + times(end - now_, factor), std::move(one));
    running_ = std::move(running);
  }

  LoadView load_view() const {
    LoadView load{s_.policy.objective > Duration{} ? arrivals_.at(now_) : 0, share()};
    if (plan_.rate > 0) load.most_rows = plan_.rows, load.most_wait = plan_.delay;
    return load;
  }

  double share() const { return share_.value() / plan_.caution; }

  void plan() {
    plan_at_ = now_ + Scenario::kPlanned;
    counts_.rows_waiting = queue_.rows();
    const InstanceChoice choice = planner_.observe(
        now_, s_.chosen, {instances_, static_cast<int>(running_.size()), counts_, share_.value()}, levels_);
    out_.outlook = planner_.outlook();
    plan_ = out_.outlook.current;
    if (choice.reason.empty()) return;
    out_.changes.push_back({now_, choice});
    instances_ = choice.instances;
  }

  void finish_batches() {
    while (!running_.empty() && running_.begin()->first <= now_) {
      Running done = std::move(running_.begin()->second);
      const size_t beside = running_.size();
      running_.erase(running_.begin());
      const double concurrency = meter_.mean_since(done.mark, now_);
      meter_.change(static_cast<int>(beside - 1), now_);
      change_speed(beside, beside - 1);
      counts_.rows_done += done.rows - done.padded;
      for (const InferRequestPtr& request : done.requests) {
        SimulatedRequest& record = of(*request);
        end(record, SimulatedEnd::kAnswered, Code::kOk);
        request->complete({});
        const bool late = s_.policy.objective > Duration{} && now_ - record.arrived > s_.policy.objective;
        if (s_.policy.objective > Duration{}) share_.observe(late);
        ++counts_.answered;
        counts_.late += late;
      }
      if (s_.chosen.max > 0) levels_.learn(concurrency, done.rows, now_ - done.started, now_);
      if (s_.learns)
        costs_.curve(kCpu, done.shape_class, [] { return std::string(); }).learn(done.rows, now_ - done.started);
    }
  }

  const Scenario s_;        // a copy: what it calls may have a state
  Random random_;           // of executions
  Random arrivals_random_;  // the same requests come, whatever is done about them
  Simulation out_;
  std::vector<std::unique_ptr<SimulatedRequest>>* requests_ = nullptr;
  RequestQueue queue_;
  CostModel costs_;
  ArrivalRate arrivals_;
  ObjectiveShare share_;
  std::vector<RequestQueue::Dropped> dropped_;
  std::multimap<TimePoint, Running> running_;  // by their end
  std::multimap<TimePoint, std::shared_ptr<CancelToken>> to_cancel_;
  TimePoint now_ = kBegin;
  TimePoint next_arrival_ = kNever;
  TimePoint ask_again_ = kNever;
  ConcurrencyCosts levels_;
  ConcurrencyMeter meter_;
  InstancePlanner planner_;
  InstancePlanner::Counts counts_;
  InstanceOption plan_;
  TimePoint plan_at_ = kNever;
  int instances_;
};

}  // namespace

Simulation simulate(const Scenario& scenario) { return Simulator(scenario).run(); }

uint64_t simulation_seed() {
  if (const char* given = std::getenv("MODELMILL_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

int64_t Simulation::count(SimulatedEnd end) const {
  return std::count_if(requests.begin(), requests.end(), [end](const SimulatedRequest& r) { return r.end == end; });
}

bool Simulation::idle_within(TimePoint from, TimePoint to) const {
  const auto period =
      std::upper_bound(idle.begin(), idle.end(), from, [](TimePoint t, const auto& p) { return t < p.second; });
  return from < to && period != idle.end() && period->first < to;
}

double Simulation::goodput(Duration within, Duration warm_up) const {
  int64_t rows = 0;
  const TimePoint from = kBegin + warm_up;
  for (const SimulatedRequest& r : requests)
    if (r.arrived >= from && r.end == SimulatedEnd::kAnswered && r.ended - r.arrived <= within) rows += r.asked.rows;
  return static_cast<double>(rows) / to_seconds(length - warm_up);
}

Duration Simulation::quantile(double q, Duration warm_up) const {
  std::vector<Duration> times;
  const TimePoint from = kBegin + warm_up;
  for (const SimulatedRequest& r : requests)
    if (r.arrived >= from && r.end == SimulatedEnd::kAnswered) times.push_back(r.ended - r.arrived);
  if (times.empty()) return {};
  const auto at = static_cast<size_t>(q * static_cast<double>(times.size() - 1));
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(at), times.end());
  return times[at];
}

double Simulation::unanswered(Duration warm_up) const {
  int64_t all = 0, not_answered = 0;
  const TimePoint from = kBegin + warm_up;
  for (const SimulatedRequest& r : requests) {
    if (r.arrived < from) continue;
    ++all;
    if (r.end != SimulatedEnd::kAnswered) ++not_answered;
  }
  return all == 0 ? 0 : static_cast<double>(not_answered) / static_cast<double>(all);
}

std::function<Duration(Random&)> poisson(double per_second) {
  return [per_second](Random& random) { return from_seconds(std::exponential_distribution<>(per_second)(random)); };
}

std::function<Duration(Random&)> bursts(double per_second, int size) {
  return [per_second, size, left = 0](Random& random) mutable {
    if (left-- > 0) return Duration{};
    left = size - 1;
    return from_seconds(std::exponential_distribution<>(per_second / size)(random));
  };
}

std::function<Duration(Random&)> heavy_tail(double per_second) {
  return [per_second](Random& random) {
    constexpr double kShape = 1.5;
    const double least = (kShape - 1) / kShape / per_second;
    return from_seconds(least / std::pow(1 - std::uniform_real_distribution<>()(random), 1 / kShape));
  };
}

std::function<Duration(int64_t rows, Random&)> linear_time(Duration fixed, Duration per_row, double noise) {
  return [=](int64_t rows, Random& random) {
    const double mean = to_seconds(fixed) + to_seconds(per_row) * static_cast<double>(rows);
    return from_seconds(mean * (1 + std::uniform_real_distribution<>(-noise, noise)(random)));
  };
}

}  // namespace modelmill::testing
