#include "ensemble/ensemble_version.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ensemble/ensemble_stream.h"

namespace modelmill {
namespace {

bool same_tensors(const std::vector<TensorSpec>& a, const std::vector<TensorSpec>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const TensorSpec& x, const TensorSpec& y) {
    return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.optional == y.optional;
  });
}

std::string list(const std::vector<EnsemblePlan::Port>& ports, const EnsemblePlan& plan) {
  std::string out;
  for (const EnsemblePlan::Port& port : ports) {
    out += out.empty() ? "" : ", ";
    out += port.name == plan.tensors[port.tensor] ? port.name : port.name + ": " + plan.tensors[port.tensor];
  }
  return out;
}

/// "ocr@3 (image: crop) -> (text: words)"
std::string step_line(const EnsemblePlan::Step& step, const EnsemblePlan& plan) {
  const std::vector<EnsemblePlan::Port> inputs(step.inputs.begin(), step.inputs.end());
  std::string out = step.text() + " (" + list(inputs, plan) + ") -> (" + list(step.outputs, plan) + ")";
  if (step.decoupled) out += ", any number of times";
  if (step.when) return out + " when " + step.when->to_string();
  // Of alternatives one without a condition takes what the others leave.
  return step.alternatives.empty() ? out : out + " otherwise";
}

}  // namespace

EnsembleVersion::EnsembleVersion(Description description, std::shared_ptr<VersionStats> stats,
                                 std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                                 std::shared_ptr<CombinationWeights> weights, std::shared_ptr<VersionCache> cache,
                                 std::shared_ptr<MemberEpoch> epoch)
    : ModelVersion(std::move(description), stats),
      counters_(std::move(stats)),
      plan_(std::move(plan)),
      members_(members),
      cache_(std::move(cache)),
      epoch_(std::move(epoch)),
      failures_(plan_->steps.size()) {
  if (!weights) return;
  std::vector<std::string> names;
  for (const EnsemblePlan::Step& step : plan_->steps) names.push_back(step.text());
  weights_ = {std::move(weights), std::make_shared<const std::vector<std::string>>(std::move(names))};
}

void EnsembleVersion::submit(InferRequestPtr request) {
  request->times.queued = Clock::now();
  if (!cache_) return run(std::move(request));
  cache_->answer(std::move(request), [this](InferRequestPtr unknown) { run(std::move(unknown)); });
}

void EnsembleVersion::run(InferRequestPtr request) {
  if (plan_->levels) return EnsembleStream::begin(plan_, members_, counters_, version(), std::move(request));
  EnsembleRun::begin(plan_, members_, counters_, version(), std::move(request), weights_);
}

std::optional<uint64_t> EnsembleVersion::answers_epoch() const {
  const AnswerGround ground = epoch_ ? epoch_->now() : AnswerGround{0, 0, false};
  return ground.known ? std::optional(ground.epoch) : std::nullopt;
}

Status EnsembleVersion::availability() const {
  Status first;
  size_t missing = 0;
  for (const EnsemblePlan::Step& step : plan_->steps) {
    Status status = availability_of(step);
    if (status.ok()) continue;
    ++missing;
    if (first.ok()) first = std::move(status);
  }
  const bool enough = plan_->combines && missing + plan_->combination.quorum <= plan_->steps.size();
  return enough ? ok_status() : first;
}

ProcessHealth EnsembleVersion::process_health() const {
  ProcessHealth all;
  std::vector<VersionPin> seen;
  std::vector<std::optional<uint64_t>> failures(plan_->steps.size());  // of steps whose member can be pinned
  for (size_t i = 0; i < failures.size(); ++i) {
    const EnsemblePlan::Step& step = plan_->steps[i];
    Result<VersionPin> pin = members_.pin(step);
    if (!pin.ok() || !*pin) continue;
    failures[i] = 0;
    if (std::any_of(seen.begin(), seen.end(), [&](const VersionPin& other) { return &*other == &**pin; })) continue;
    const ProcessHealth one = (*pin)->process_health();
    seen.push_back(*std::move(pin));
    failures[i] = one.failures;
    all.memory_bytes = std::max(all.memory_bytes, one.memory_bytes);
    if (one.failures > 0) all.last_failure = "'" + step.text() + "': " + one.last_failure;
  }
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < failures.size(); ++i) all.failures += failures_[i] = failures[i].value_or(failures_[i]);
  return all;
}

Status EnsembleVersion::availability_of(const EnsemblePlan::Step& step) const {
  const Result<VersionPin> pin = members_.pin(step);
  const std::string what = "ensemble '" + name() + "' depends on '" + step.text() + "' which ";
  if (!pin.ok()) return unavailable(what + "can't be asked: " + pin.status().message());
  if (!*pin) return ok_status();  // it loads when it is asked
  const Signature& now = (*pin)->signature();
  if (!same_tensors(now.inputs, step.signature.inputs) || !same_tensors(now.outputs, step.signature.outputs))
    return unavailable(what + "has other inputs or outputs than when the ensemble was loaded; load it again");
  if (const Status status = (*pin)->availability(); !status.ok())
    return unavailable(what + "is not available: " + status.message());
  return ok_status();
}

void EnsembleVersion::drop_unwanted() {
  for (const EnsemblePlan::Step& step : plan_->steps) members_.drop_unwanted(step);
}

Explanation EnsembleVersion::explain() const {
  Explanation out;
  out.policy = "ensemble";
  out.max_rows = std::max<int64_t>(1, definition().max_batch_size.value_or(0));
  out.on_loop = "never";
  out.cached = cache_ != nullptr;
  for (const EnsemblePlan::Step& step : plan_->steps) out.steps.push_back(step_line(step, *plan_));
  if (!plan_->combines) return out;
  const EnsemblePlan::Combination& combination = plan_->combination;
  out.combination = std::string(combiner_name(combination.combiner)) + " of " + std::to_string(plan_->steps.size()) +
                    " members, a quorum of " + std::to_string(combination.quorum);
  if (combination.deadline.count() > 0)
    out.combination += " after " + std::to_string(combination.deadline.count()) + " us at most";
  if (!takes_weights(combination.combiner)) return out;
  const auto table = weights_.shared ? weights_.shared->table() : nullptr;
  for (size_t i = 0; i < plan_->steps.size(); ++i) {
    const std::string name = plan_->steps[i].text();
    const std::optional<double> weight = table ? table->of(name) : std::nullopt;
    out.weights.push_back({name, weight.value_or(combination.weights[i])});
  }
  return out;
}

}  // namespace modelmill
