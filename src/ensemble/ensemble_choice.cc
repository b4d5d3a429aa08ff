// Which of its steps a request to an ensemble runs.

#include <utility>

#include "ensemble/ensemble_run.h"
#include "ensemble/step_condition.h"

namespace modelmill {

/// Those that the outputs hang on which the client wants; of a combination all.
void EnsembleRun::choose_steps() {
  std::vector<size_t> tensors;
  for (const EnsemblePlan::Input& output : plan_->outputs)
    if (is_wanted(*request_, output.name)) {
      tensors.push_back(output.tensor);
      ++uses_[output.tensor];
    }
  for (const EnsemblePlan::Combined& output : plan_->combination.outputs)
    for (const size_t tensor : output.tensors) {
      tensors.push_back(tensor);
      ++uses_[tensor];
    }
  std::vector<bool> needed(steps_.size(), false);
  while (!tensors.empty()) {
    const size_t writer = plan_->writers[tensors.back()];
    tensors.pop_back();
    if (writer == steps_.size() || needed[writer]) continue;
    const EnsemblePlan::Step& last = plan_->steps[writer];
    if (last.alternatives.empty()) need(writer, needed, tensors);
    for (const size_t step : last.alternatives) need(step, needed, tensors);
  }
  for (size_t step = 0; step < steps_.size(); ++step)
    if (!needed[step]) steps_[step].state = StepState::kNotNeeded;
  for (const auto& readers : plan_->readers)
    for (const size_t step : readers) ++steps_[step].missing;
  for (const EnsemblePlan::Step& step : plan_->steps)
    for (size_t before = 0; before < step.alternatives.size(); ++before)
      if (&plan_->steps[step.alternatives[before]] == &step)
        steps_[step.alternatives[before]].missing += before;  // that are decided on before it
}

void EnsembleRun::need(size_t step, std::vector<bool>& needed, std::vector<size_t>& tensors) {
  needed[step] = true;
  ++needed_;
  const size_t known = tensors.size();
  for (const EnsemblePlan::Input& input : plan_->steps[step].inputs) tensors.push_back(input.tensor);
  if (plan_->steps[step].when) tensors.push_back(plan_->steps[step].when_tensor);
  for (size_t i = known; i < tensors.size(); ++i) ++uses_[tensors[i]];
}

/// Leaves the step out where another one ran in its place, its condition is not true or what it needs was not written.
std::optional<EnsembleRun::Ending> EnsembleRun::decide_on(size_t step) {
  const EnsemblePlan::Step& plan = plan_->steps[step];
  StepRun& run = steps_[step];
  bool left_out = false;
  for (const size_t other : plan.alternatives)
    left_out = left_out || (other != step && steps_[other].state != StepState::kWaits &&
                            steps_[other].state != StepState::kNotNeeded);
  const bool replaced = left_out;
  if (plan.when) {
    std::optional<Tensor>& tensor = tensors_[plan.when_tensor];
    const Result<bool> holds =
        replaced ? Result<bool>(false) : condition_holds(*plan.when, tensor ? &*tensor : nullptr);
    if (--uses_[plan.when_tensor] == 0) tensor.reset();
    if (!holds.ok()) return end(in_ensemble(*plan_, holds.status(), step));
    left_out = !*holds;
  }
  for (const EnsemblePlan::Input& input : plan.inputs)
    left_out = left_out || !(input.optional || tensors_[input.tensor].has_value());
  if (left_out) {
    run.state = StepState::kNotNeeded;
    run.pin = VersionPin();
    ++left_out_;
    for (const EnsemblePlan::Input& input : plan.inputs)
      if (--uses_[input.tensor] == 0) tensors_[input.tensor].reset();
  }
  bool comes_after = false;
  for (const size_t other : plan.alternatives) {
    if (comes_after && --steps_[other].missing == 0) ready_.push_back(other);
    comes_after = comes_after || other == step;
  }
  const bool is_last = plan.alternatives.empty() || plan.alternatives.back() == step;
  if (left_out && !replaced && is_last)
    for (const EnsemblePlan::Port& output : plan.outputs) set_tensor(output.tensor, std::nullopt);
  return left_out ? look_for_end() : std::nullopt;
}

}  // namespace modelmill
