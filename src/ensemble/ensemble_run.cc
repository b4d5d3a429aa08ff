#include "ensemble/ensemble_run.h"

#include <algorithm>
#include <utility>

#include "base/stable_hash.h"
#include "ensemble/member_request.h"
#include "schedule/failure_reason.h"

namespace modelmill {
void EnsembleRun::begin(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                        std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request,
                        EnsembleWeights weights, std::shared_ptr<const void> keeps) {
  std::make_shared<EnsembleRun>(std::move(plan), members, std::move(stats), version, std::move(request),
                                std::move(weights), std::move(keeps))
      ->start();
}

EnsembleRun::EnsembleRun(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                         std::shared_ptr<VersionStats> stats, int64_t version, InferRequestPtr request,
                         EnsembleWeights weights, std::shared_ptr<const void> keeps)
    : plan_(std::move(plan)),
      members_(members),
      stats_(std::move(stats)),
      version_(version),
      weights_(std::move(weights)),
      keeps_(std::move(keeps)),
      began_(request->times.queued),
      cancel_(std::make_shared<CancelToken>(request->cancel)),
      request_(std::move(request)),
      tensors_(plan_->tensors.size()),
      uses_(plan_->tensors.size()) {
  for (size_t step = 0; step < plan_->steps.size(); ++step) steps_.emplace_back(*this, step);
}

void EnsembleRun::start() {
  std::optional<Ending> ending;
  {
    const MutexLock lock(mutex_);
    choose_steps();
    Status status = no_longer_wanted(*request_, began_);
    if (status.ok()) status = pin_members();
    if (!status.ok()) {
      ending = end(std::move(status));
    } else {
      put_inputs();
      ending = look_for_end();  // an answer may be the inputs themselves
    }
  }
  if (ending) return finish(*std::move(ending));
  if (plan_->combines && plan_->combination.deadline.count() > 0)
    members_.call_at(began_ + plan_->combination.deadline, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->deadline_passed();
    });
  drive();
}

/// What can't be asked has failed; an error where that ends the request.
Status EnsembleRun::pin_members() {
  for (size_t step = 0; step < steps_.size(); ++step) {
    StepRun& run = steps_[step];
    if (run.state != StepState::kWaits) continue;
    Result<VersionPin> pin = members_.pin(plan_->steps[step]);
    if (pin.ok()) {
      run.pin = std::move(pin).value();
      continue;
    }
    run.state = StepState::kFailed;
    ++failed_;
    if (!can_do_without()) return failed_by(pin.status(), step);
  }
  return ok_status();
}

void EnsembleRun::put_inputs() {
  // A member of a combination may have no inputs.
  for (size_t step = 0; step < steps_.size(); ++step)
    if (steps_[step].missing == 0 && steps_[step].state == StepState::kWaits) ready_.push_back(step);
  for (const EnsemblePlan::Port& input : plan_->inputs) {
    const Tensor* given = request_->input(input.name);
    set_tensor(input.tensor, given != nullptr ? std::optional<Tensor>(*given) : std::nullopt);
  }
}

void EnsembleRun::set_tensor(size_t tensor, std::optional<Tensor> value) {
  if (uses_[tensor] > 0) tensors_[tensor] = std::move(value);
  for (const size_t step : plan_->readers[tensor])
    if (--steps_[step].missing == 0 && steps_[step].state == StepState::kWaits) ready_.push_back(step);
}

/// Hands over what is ready, one request after the other, on one thread at a time: members that answer at once come
/// back to here instead of going deeper.
void EnsembleRun::drive() {
  {
    const MutexLock lock(mutex_);
    if (driving_) return;
    driving_ = true;
  }
  while (true) {
    InferRequestPtr request;
    VersionPin pin;
    std::optional<Ending> ending;
    {
      const MutexLock lock(mutex_);
      if (ready_.empty() || !request_) {
        driving_ = false;
        return;
      }
      const size_t step = ready_.front();
      ready_.pop_front();
      if (plan_->conditional) ending = decide_on(step);
      if (steps_[step].state == StepState::kWaits && !ending) {
        request = request_for(step);
        pin = std::move(steps_[step].pin);
        steps_[step].state = StepState::kRuns;
      }
      if (ending) driving_ = false;
    }
    if (ending) return finish(*std::move(ending));
    if (request) members_.submit(std::move(pin), std::move(request));
  }
}

InferRequestPtr EnsembleRun::request_for(size_t step) {
  const EnsemblePlan::Step& plan = plan_->steps[step];
  InferRequestPtr request =
      part_of(*request_, cancel_, std::shared_ptr<ResponseSink>(shared_from_this(), &steps_[step].sink));
  address_to(plan, *request);
  if (plan_->combines && plan_->combination.deadline.count() > 0)
    request->deadline = std::min(request->deadline, began_ + plan_->combination.deadline);
  for (const EnsemblePlan::Input& input : plan.inputs) {
    std::optional<Tensor>& from = tensors_[input.tensor];
    const bool last = --uses_[input.tensor] == 0;
    if (!from) continue;
    Tensor tensor = last ? std::move(*from) : *from;
    if (last) from.reset();
    request->inputs.push_back(fitted(std::move(tensor), input, plan.batched));
  }
  return request;
}

void EnsembleRun::answered(size_t step, InferResponse response, bool final, bool has_response) {
  std::optional<Ending> ending;
  {
    const MutexLock lock(mutex_);
    StepRun& run = steps_[step];
    if (!request_ || run.state != StepState::kRuns) return;  // it comes too late
    if (!final && response.status.ok()) {
      run.response = std::move(response);
      return;
    }
    if (!has_response && run.response)
      response = *std::exchange(run.response, std::nullopt);
    else if (!has_response)
      response.status = internal("it has ended without an answer");
    const Status status = response.status;
    if (status.ok()) {
      take_outputs(step, response);
      run.state = StepState::kAnswered;
      ++answered_;
      add_times(response.times, queued_, record_);
      ending = look_for_end();
    } else {
      run.state = StepState::kFailed;
      ++failed_;
      ending = step_failed(step, status);
    }
  }
  if (ending) return finish(*std::move(ending));
  drive();
}

void EnsembleRun::take_outputs(size_t step, InferResponse& response) {
  const EnsemblePlan::Step& plan = plan_->steps[step];
  for (const EnsemblePlan::Port& port : plan.outputs) {
    const auto found = std::find_if(response.outputs.begin(), response.outputs.end(),
                                    [&](const Tensor& output) { return output.name == port.name; });
    // As in Triton what a model leaves out may be an optional input of the next.
    if (found == response.outputs.end())
      set_tensor(port.tensor, std::nullopt);
    else
      set_tensor(port.tensor, std::move(*found));
  }
}

/// Enough members are left.
bool EnsembleRun::can_do_without() const {
  return plan_->combines && failed_ + plan_->combination.quorum <= steps_.size();
}

/// What the client is told where the step's failure is one too many.
Status EnsembleRun::failed_by(const Status& why, size_t step) const {
  Status error = in_ensemble(*plan_, why, step);
  if (!plan_->combines || plan_->combination.quorum == steps_.size()) return error;
  return {error.code(), error.message() + "; " + std::to_string(failed_) + " of " + std::to_string(steps_.size()) +
                            " members have failed, and the quorum is " + std::to_string(plan_->combination.quorum)};
}

std::optional<EnsembleRun::Ending> EnsembleRun::step_failed(size_t step, const Status& why) {
  if (can_do_without() && !request_->cancelled()) return look_for_end();
  return end(failed_by(why, step));
}

std::optional<EnsembleRun::Ending> EnsembleRun::look_for_end() {
  const size_t done = plan_->combines ? answered_ + failed_ : answered_ + left_out_;
  if (done < needed_) return std::nullopt;
  return end(ok_status());
}

void EnsembleRun::deadline_passed() {
  std::optional<Ending> ending;
  {
    const MutexLock lock(mutex_);
    if (!request_) return;
    const EnsemblePlan::Combination& combination = plan_->combination;
    Status status;
    if (answered_ < combination.quorum) {
      std::string missing;
      for (size_t step = 0; step < steps_.size(); ++step)
        if (steps_[step].state != StepState::kAnswered)
          missing += (missing.empty() ? "'" : ", '") + plan_->steps[step].text() + "'";
      status = deadline_exceeded("in ensemble '" + plan_->name + "', " + std::to_string(answered_) + " of " +
                                 std::to_string(steps_.size()) + " members have answered within its deadline of " +
                                 std::to_string(combination.deadline.count()) + " us, and the quorum is " +
                                 std::to_string(combination.quorum) + "; missing: " + missing);
    }
    ending = end(std::move(status));
  }
  finish(*std::move(ending));
}

EnsembleRun::Ending EnsembleRun::end(Status error) {
  Ending out;
  out.request = std::move(request_);
  out.error = std::move(error);
  out.steps.tensors = std::move(tensors_);
  out.queued = queued_;
  out.record = record_;
  for (size_t step = 0; step < steps_.size(); ++step) {
    StepRun& run = steps_[step];
    if (run.state == StepState::kAnswered) out.steps.took_part.push_back(step);
    if (run.state == StepState::kRuns) out.unwanted.push_back(step);
    run.pin = VersionPin();  // of one that has not begun
  }
  return out;
}

void EnsembleRun::finish(Ending ending) {
  InferRequest& request = *ending.request;
  request.times.compute_start = request.times.input_end = began_;
  request.times.infer_end = Clock::now();
  Result<InferResponse> response = ending.error.ok() ? response_of(ending) : Result<InferResponse>(ending.error);
  request.times.compute_end = Clock::now();
  if (stats_)
    record_end(ending, response.status());
  else
    put_sums(ending, request.times);
  if (response.ok()) {
    if (weights_.shared && weights_.shared->remembers() && !request.id.empty())
      weights_.shared->answers().put(stable_hash(request.id),
                                     answers_to_remember(*plan_, weights_.names, ending.steps));
    request.complete(std::move(response).value());
  } else {
    request.fail(response.status());
  }
  ending.request.reset();
  if (ending.unwanted.empty()) return;
  cancel_->cancel(CancelToken::Reason::kClientGone);
  for (const size_t step : ending.unwanted) members_.drop_unwanted(plan_->steps[step]);
}

void EnsembleRun::record_end(Ending& ending, const Status& status) const {
  const InferRequest& request = *ending.request;
  if (!status.ok()) return stats_->request_failed(request.times, reason_before_running(status.code()));
  ending.record.rows = request.batch_rows;
  ending.record.requests = 1;
  stats_->executed(ending.record, CutReason::kIdleInstance);
  RequestTimes times = request.times;
  times.compute_start = times.queued + ending.queued;  // the time in queues is that of its members, as in Triton
  stats_->request_succeeded(times, request.batch_rows);
}

/// For who asked: the times of its members as if they were its own.
void EnsembleRun::put_sums(const Ending& ending, RequestTimes& times) {
  times.compute_start = times.queued + ending.queued;
  times.input_end = times.compute_start + ending.record.input;
  times.infer_end = times.input_end + ending.record.infer;
  times.compute_end = times.infer_end + ending.record.output;
}

Result<InferResponse> EnsembleRun::response_of(Ending& ending) const {
  InferResponse response;
  response.version = version_;
  if (plan_->combines) {
    const auto table = weights_.shared ? weights_.shared->table() : nullptr;
    MM_RETURN_IF_ERROR(combine_answers(*plan_, *ending.request, ending.steps, table.get(), response));
    return response;
  }
  for (const EnsemblePlan::Input& output : plan_->outputs) {
    if (!is_wanted(*ending.request, output.name)) continue;
    std::optional<Tensor>& from = ending.steps.tensors[output.tensor];
    if (!from) continue;  // as in Triton, what its model has left out
    response.outputs.push_back(fitted(*from, output, plan_->batched));
  }
  return response;
}

}  // namespace modelmill
