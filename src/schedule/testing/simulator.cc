#include "schedule/testing/simulator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "schedule/admission.h"
#include "schedule/arrival_rate.h"
#include "schedule/objective_share.h"
#include "schedule/shape_class.h"

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
        queue_("simulated", scenario.limits, scenario.by_shape),
        costs_(scenario.policy.max_rows),
        arrivals_(std::max<Duration>(std::chrono::milliseconds(20), scenario.policy.objective)),
        idle_(scenario.instances) {
    out_.length = scenario.length;
  }

  Simulation run() {
    // Requests keep their places, for their sinks count in them.
    std::vector<std::unique_ptr<SimulatedRequest>> requests;
    requests_ = &requests;
    const TimePoint end = now_ + s_.length;
    next_arrival_ = now_ + s_.gap(random_);
    while (true) {
      if (next_arrival_ >= end) next_arrival_ = kNever;
      const TimePoint at = next_event();
      if (at == kNever) break;
      note_idle(at);
      now_ = std::max(now_, at);
      finish_batches();
      if (next_arrival_ <= now_) {
        arrive();
        next_arrival_ = now_ + s_.gap(random_);
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
    uint64_t shape_class = 0;
  };

  TimePoint next_event() const {
    TimePoint at = std::min({next_arrival_, ask_again_, queue_.next_expiry()});
    if (!running_.empty()) at = std::min(at, running_.begin()->first);
    if (!to_cancel_.empty()) at = std::min(at, to_cancel_.begin()->first);
    return at;
  }

  void note_idle(TimePoint until) {
    if (idle_ == 0 || until <= now_) return;
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
    record.asked = s_.arrival(random_);
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
    const WorkAhead ahead{queue_.rows_before(request), s_.instances, idle_};
    const Admission admission = admit(s_.policy, ahead, cost, now_, request.deadline, share_.value());
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
      end(of(*request), SimulatedEnd::kDropped, status.code());
      request->fail(status);
    }
    dropped_.clear();
  }

  void dispatch() {
    ask_again_ = kNever;
    while (idle_ > 0) {
      const LoadView load{s_.policy.objective > Duration{} ? arrivals_.at(now_) : 0, share_.value()};
      RequestQueue::Next next =
          queue_.next(s_.policy, now_, {idle_, kCpu}, dropped_, s_.learns ? &costs_ : nullptr, load);
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
    SimulatedBatch batch{now_, {}, 0, next.decision.reason};
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
    running.rows = batch.rows;
    out_.batches.push_back(std::move(batch));
    --idle_;
    running_.emplace(now_ + s_.batch_time(running.rows, random_), std::move(running));
  }

  void finish_batches() {
    while (!running_.empty() && running_.begin()->first <= now_) {
      Running done = std::move(running_.begin()->second);
      running_.erase(running_.begin());
      ++idle_;
      for (const InferRequestPtr& request : done.requests) {
        SimulatedRequest& record = of(*request);
        end(record, SimulatedEnd::kAnswered, Code::kOk);
        request->complete({});
        if (s_.policy.objective > Duration{}) share_.observe(now_ - record.arrived > s_.policy.objective);
      }
      if (s_.learns)
        costs_.curve(kCpu, done.shape_class, [] { return std::string(); }).learn(done.rows, now_ - done.started);
    }
  }

  const Scenario s_;  // a copy: what it calls may have a state
  Random random_;
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
  int idle_;
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
