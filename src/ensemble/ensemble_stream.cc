#include "ensemble/ensemble_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ensemble/combined_answer.h"
#include "ensemble/ensemble_run.h"
#include "ensemble/member_request.h"
#include "runtime/turn.h"
#include "schedule/failure_reason.h"

namespace modelmill {
namespace {

/// A member is held up while there are more bytes of its answers under way, and it goes on where it can't be held up
/// until there are so many that the request fails.
constexpr size_t kMostWaiting = size_t{16} << 20;
constexpr size_t kMostHeld = size_t{256} << 20;
/// What an answer that waits counts for beside its tensors: its names, shapes and the places that it takes. So small
/// ones have a bound as well.
constexpr size_t kAnswerBytes = 4 << 10;
/// A member that was held up for so long without anything getting on may be what the others wait for.
constexpr auto kPatience = std::chrono::seconds(30);

const Tensor* find_tensor(const InferResponse& response, const std::string& name) {
  for (const Tensor& output : response.outputs)
    if (output.name == name) return &output;
  return nullptr;
}

}  // namespace

/// The steps of a level for one answer of what comes before it: gets what came of them.
class EnsembleStream::Run final : public ResponseSink {
 public:
  enum class State { kFresh, kRuns, kRan };

  Run(std::shared_ptr<EnsembleStream> stream, size_t level) : level(level), stream_(std::move(stream)) {}
  void on_response(InferResponse response, bool, bool) override { stream_->ran(*this, std::move(response)); }

  const size_t level;
  State state = State::kFresh;
  boost::container::small_vector<Tensor, 2> inputs;
  size_t bytes = 0;       // of the answer that it is of
  InferResponse outcome;  // once it ran

 private:
  const std::shared_ptr<EnsembleStream> stream_;
};

/// Gets the answers of the decoupled member behind a level, and holds it up.
class EnsembleStream::Source final : public ResponseSink, public Room {
 public:
  Source(std::shared_ptr<EnsembleStream> stream, size_t level, Answer before)
      : stream_(std::move(stream)), level_(level), before_(std::move(before)) {}
  void on_response(InferResponse response, bool final, bool has_response) override {
    stream_->gave(level_, before_, std::move(response), final, has_response);
  }
  void wait_for_room() override { stream_->wait_for_room(level_); }

 private:
  const std::shared_ptr<EnsembleStream> stream_;
  const size_t level_;
  const Answer before_;  // what it was asked about
};

void EnsembleStream::begin(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                           std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request) {
  std::make_shared<EnsembleStream>(std::move(plan), members, std::move(stats), version, std::move(request))->start();
}

EnsembleStream::EnsembleStream(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                               std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request)
    : plan_(std::move(plan)),
      members_(members),
      stats_(std::move(stats)),
      version_(version),
      began_(request->times.queued),
      client_room_(request->room),
      cancel_(std::make_shared<CancelToken>(request->cancel)),
      request_(std::move(request)),
      lanes_(plan_->levels->levels.size()) {
  for (size_t i = 0; i < plan_->outputs.size(); ++i)
    if (is_wanted(*request_, plan_->outputs[i].name)) last_ = std::max(last_, plan_->levels->output_levels[i]);
}

void EnsembleStream::start() {
  request_->times.compute_start = request_->times.input_end = began_;
  members_.pin_all(*plan_);
  {
    const MutexLock lock(mutex_);
    if (Status status = no_longer_wanted(*request_, began_); !status.ok()) fail(std::move(status));
    const auto run = std::make_shared<Run>(shared_from_this(), 0);
    run->inputs = request_->inputs;
    lanes_[0].runs.push_back(run);
    lanes_[0].closed = true;
    fresh_.push_back(run);
  }
  drive();
}

/// Does what is due, one deed after the other on one thread at a time: members that answer at once come back to here
/// instead of going deeper, and the client hears one answer at a time.
void EnsembleStream::drive() {
  {
    const MutexLock lock(mutex_);
    if (driving_) return;
    driving_ = true;
  }
  while (true) {
    Deed deed;
    {
      const MutexLock lock(mutex_);
      deed = next();
      if (deed.kind == Deed::Kind::kNone) {
        driving_ = false;
        return;
      }
    }
    switch (deed.kind) {
      case Deed::Kind::kRun: begin_run(deed.run); break;
      case Deed::Kind::kAsk: ask_source(deed.run); break;
      case Deed::Kind::kAnswer: request_->pass_on(*std::move(deed.response)); break;
      case Deed::Kind::kEnd: end(std::move(deed)); break;
      case Deed::Kind::kNone: break;
    }
  }
}

EnsembleStream::Deed EnsembleStream::next() {
  if (over_) return {};
  Deed deed;
  if (error_) {
    deed = ending(*error_);
  } else {
    deed = advance();
  }
  if (deed.kind == Deed::Kind::kNone && !fresh_.empty()) {
    deed.kind = Deed::Kind::kRun;
    deed.run = std::move(fresh_.front());
    fresh_.pop_front();
    deed.run->state = Run::State::kRuns;
  }
  over_ = deed.kind == Deed::Kind::kEnd;
  return deed;
}

/// Of those that run, only what came of the first one of a level is looked at.
EnsembleStream::Deed EnsembleStream::advance() {
  while (true) {
    Lane& lane = lanes_[level_];
    if (lane.runs.empty()) {
      if (!lane.closed) return {};
      if (level_ == 0 || !lane.error.ok()) return ending(lane.error);
      leave(--level_);
      continue;
    }
    const std::shared_ptr<Run> first = lane.runs.front();
    if (first->state != Run::State::kRan) return {};
    if (!first->outcome.status.ok()) return ending(first->outcome.status);
    if (level_ == last_) return answer_of(first);
    if (!can_ask(*first)) {
      leave(level_);
      continue;
    }
    ++level_;
    lanes_[level_].closed = false;
    return {Deed::Kind::kAsk, first, {}, std::nullopt};
  }
}

EnsembleStream::Deed EnsembleStream::ending(Status error) {
  return {Deed::Kind::kEnd, nullptr, std::move(error), std::nullopt};
}

/// The last one, if nothing can follow.
EnsembleStream::Deed EnsembleStream::answer_of(const std::shared_ptr<Run>& run) {
  leave(level_);
  bool follows = !lanes_[level_].runs.empty() || !lanes_[level_].closed || !lanes_[level_].error.ok();
  for (size_t level = 0; level < level_; ++level)
    follows = follows || lanes_[level].runs.size() > 1 || !lanes_[level].closed || !lanes_[level].error.ok();
  run->outcome.version = version_;
  return {follows ? Deed::Kind::kAnswer : Deed::Kind::kEnd, nullptr, {}, std::move(run->outcome)};
}

/// Where steps have conditions, the source is left out as any step is without what it needs.
bool EnsembleStream::can_ask(const Run& run) const {
  if (!plan_->conditional) return true;
  const auto& inputs = plan_->steps[level_of(run.level).source].inputs;
  return std::all_of(inputs.begin(), inputs.end(), [&](const EnsemblePlan::Input& input) {
    return input.optional || find_tensor(run.outcome, plan_->tensors[input.tensor]) != nullptr;
  });
}

void EnsembleStream::leave(size_t level) {
  held_ -= lanes_[level].runs.front()->bytes;
  lanes_[level].runs.pop_front();
  ++moves_;
  holds_up_ = true;
  room_.notify_all();
}

void EnsembleStream::begin_run(const std::shared_ptr<Run>& run) {
  InferRequestPtr request = part_of(*request_, cancel_, run);
  request->model = plan_->name;
  request->inputs = std::move(run->inputs);
  request->times.queued = request->times.received;
  const bool is_last = run->level == last_;
  if (is_last) request->outputs = request_->outputs;
  const EnsembleLevels::Level& level = level_of(run->level);
  EnsembleRun::begin(is_last ? level.last : level.passing, members_, nullptr, version_, std::move(request), {},
                     shared_from_this());
}

void EnsembleStream::ask_source(const std::shared_ptr<Run>& run) {
  const size_t number = level_of(run->level).source;
  const EnsemblePlan::Step& step = plan_->steps[number];
  const auto before = std::make_shared<const InferResponse>(std::move(run->outcome));
  const auto source = std::make_shared<Source>(shared_from_this(), run->level, before);
  Result<VersionPin> pin = members_.pin(step);
  if (!pin.ok()) {
    const MutexLock lock(mutex_);
    return fail(in_ensemble(*plan_, pin.status(), number));
  }
  InferRequestPtr request = part_of(*request_, cancel_, source);
  request->room = source;
  address_to(step, *request);
  for (const EnsemblePlan::Input& input : step.inputs)
    if (const Tensor* const tensor = find_tensor(*before, plan_->tensors[input.tensor]))
      request->inputs.push_back(fitted(*tensor, input, step.batched));
  members_.submit(*std::move(pin), std::move(request));
}

/// With an answer, without another one, or with an error.
void EnsembleStream::end(Deed deed) {
  std::vector<Lane> lanes;
  std::deque<std::shared_ptr<Run>> fresh;
  Duration queued{};
  ExecutionRecord record;
  {
    const MutexLock lock(mutex_);
    lanes.swap(lanes_);
    fresh.swap(fresh_);
    queued = queued_;
    record = record_;
    room_.notify_all();
  }
  InferRequest& request = *request_;
  request.times.infer_end = request.times.compute_end = Clock::now();
  if (deed.error.ok()) {
    record.rows = request.batch_rows;
    record.requests = 1;
    stats_->executed(record, CutReason::kIdleInstance);
    RequestTimes times = request.times;
    times.compute_start = times.queued + queued;
    stats_->request_succeeded(times, request.batch_rows);
    if (deed.response)
      request.complete(*std::move(deed.response));
    else
      request.finish();
  } else {
    stats_->request_failed(request.times, reason_before_running(deed.error.code()));
    request.fail(deed.error);
  }
  request_.reset();
  if (!deed.error.ok()) {
    cancel_->cancel(CancelToken::Reason::kClientGone);
    for (const EnsemblePlan::Step& step : plan_->steps) members_.drop_unwanted(step);
  }
  members_.release();
}

void EnsembleStream::ran(Run& run, InferResponse response) {
  {
    const MutexLock lock(mutex_);
    if (over_) return;
    if (response.status.ok())
      add_times(response.times, queued_, record_);
    else if (cancel_->cancelled())
      fail(response.status);  // nobody waits for its turn
    run.outcome = std::move(response);
    run.state = Run::State::kRan;
  }
  drive();
}

void EnsembleStream::gave(size_t level, const Answer& before, InferResponse response, bool final, bool has_response) {
  {
    const MutexLock lock(mutex_);
    if (over_ || !lanes_[level + 1].error.ok()) return;
    ++moves_;
    Lane& lane = lanes_[level + 1];
    if (final) add_times(response.times, queued_, record_);
    if (has_response && !response.status.ok()) {
      lane.error = in_ensemble(*plan_, response.status, level_of(level).source);
      if (cancel_->cancelled()) fail(lane.error);
    } else if (has_response) {
      add_run(level, before, std::move(response));
    }
    lane.closed = lane.closed || final || !lane.error.ok();
  }
  drive();
}

void EnsembleStream::add_run(size_t level, const Answer& before, InferResponse response) {
  const EnsemblePlan::Step& source = plan_->steps[level_of(level).source];
  const auto run = std::make_shared<Run>(shared_from_this(), level + 1);
  run->inputs = before->outputs;
  run->bytes = kAnswerBytes;
  for (const EnsemblePlan::Port& port : source.outputs)
    if (const Tensor* const given = find_tensor(response, port.name)) {
      run->bytes += given->byte_size();
      run->inputs.push_back(*given);
      run->inputs.back().name = plan_->tensors[port.tensor];
    }
  held_ += run->bytes;
  if (held_ > kMostHeld)
    fail(in_ensemble(*plan_,
                     resource_exhausted("it gives answers faster than the steps after it take them: more than " +
                                        std::to_string(kMostHeld >> 20) +
                                        " MiB of them wait; have it give less at once, or those steps more instances"),
                     level_of(level).source));
  lanes_[level + 1].runs.push_back(run);
  fresh_.push_back(run);
}

void EnsembleStream::fail(Status error) {
  if (!error_) error_ = std::move(error);
  room_.notify_all();
}

bool EnsembleStream::is_full(size_t level) const {
  if (over_ || error_ || !holds_up_) return false;
  const size_t under_way = lanes_[level + 1].runs.size();
  return under_way >= plan_->levels->most_under_way || (under_way > 1 && held_ > kMostWaiting);
}

/// On the thread of the member behind `level`, which has given an answer.
void EnsembleStream::wait_for_room(size_t level) {
  if (Turn::current() != nullptr) return;
  if (!level_of(level).reenters) {
    const MutexLock lock(mutex_);
    while (is_full(level)) {
      const uint64_t moves = moves_;
      const auto woken = room_.wait_until(mutex_, Clock::now() + kPatience);
      if (woken == std::cv_status::timeout && moves == moves_) holds_up_ = false;
    }
  }
  if (level + 1 == last_ && client_room_) client_room_->wait_for_room();
}

}  // namespace modelmill
