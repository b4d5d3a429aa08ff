#include "catalog/ensemble_levels.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace modelmill {
namespace {

constexpr size_t kUnderWay = 64;

/// Finds out once for what each tensor is made: for the request, or for each answer of a decoupled step, which itself
/// runs for the request or for each answer of another one.
class LevelSplit {
 public:
  explicit LevelSplit(EnsemblePlan& plan) : plan_(plan), tensor_scopes_(plan.tensors.size()) {}

  Status run(size_t most_under_way) {
    for (const EnsemblePlan::Step& step : plan_.steps) MM_RETURN_IF_ERROR(check_step(step));
    MM_RETURN_IF_ERROR(follow());
    size_t deepest = kRequest;
    for (const EnsemblePlan::Input& output : plan_.outputs) {
      const auto both = joined(deepest, *tensor_scopes_[output.tensor]);
      if (!both) return mixed(plan_.name);
      deepest = *both;
    }
    if (deepest == kRequest) return ok_status();
    for (size_t scope = deepest; scope != kRequest; scope = scopes_[scope].scope) chain_.push_back(scope);
    chain_.push_back(kRequest);
    std::reverse(chain_.begin(), chain_.end());
    plan_.levels = make_levels(most_under_way == 0 ? kUnderWay : most_under_way);
    return ok_status();
  }

 private:
  static constexpr size_t kRequest = 0;
  struct Scope {
    size_t scope = kRequest;  // that it lies in
    size_t step = 0;          // of whose answers it is
    size_t depth = 0;
  };

  Status check_step(const EnsemblePlan::Step& step) const {
    if (!step.decoupled || (!step.when && step.alternatives.empty())) return ok_status();
    return unimplemented("in ensemble " + plan_.name + ", model " + step.model +
                         " gives any number of answers to a request, and its step has a condition or an alternative; "
                         "put the condition on the steps after it, or before it on those that write its inputs");
  }

  /// Triton's words.
  Status mixed(const std::string& model) const {
    return invalid_argument("in ensemble " + plan_.name + ", step of model '" + model +
                            "' receives inputs originated from different decoupled models; let one of them come after "
                            "the other, or have an ensemble for each");
  }

  bool lies_in(size_t scope, size_t outer) const {
    for (; scopes_[scope].depth > scopes_[outer].depth; scope = scopes_[scope].scope) {
    }
    return scope == outer;
  }
  /// The one of the two that lies in the other; nullopt: they are side by side.
  std::optional<size_t> joined(size_t a, size_t b) const {
    if (lies_in(a, b)) return a;
    return lies_in(b, a) ? std::optional(b) : std::nullopt;
  }

  /// Steps whose tensors are known make others known, until all are: there is no circle.
  Status follow() {
    for (const EnsemblePlan::Port& input : plan_.inputs) tensor_scopes_[input.tensor] = kRequest;
    for (size_t tensor = 0; tensor < tensor_scopes_.size(); ++tensor)
      if (plan_.writers[tensor] == plan_.steps.size()) tensor_scopes_[tensor] = kRequest;
    std::vector<bool> done(plan_.steps.size(), false);
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t i = 0; i < plan_.steps.size(); ++i) {
        const std::vector<size_t> group = group_of(i);
        if (done[i] || !std::all_of(group.begin(), group.end(), [this](size_t step) { return is_known(step); }))
          continue;
        MM_RETURN_IF_ERROR(place(group));
        for (const size_t step : group) done[step] = true;
        moved = true;
      }
    }
    return ok_status();
  }

  /// Alternatives run in each other's place.
  std::vector<size_t> group_of(size_t step) const {
    const auto& alternatives = plan_.steps[step].alternatives;
    return alternatives.empty() ? std::vector<size_t>{step} : alternatives;
  }

  std::vector<size_t> read_by(size_t step) const {
    std::vector<size_t> out;
    for (const EnsemblePlan::Input& input : plan_.steps[step].inputs) out.push_back(input.tensor);
    if (plan_.steps[step].when) out.push_back(plan_.steps[step].when_tensor);
    return out;
  }

  bool is_known(size_t step) const {
    const auto read = read_by(step);
    return std::all_of(read.begin(), read.end(), [this](size_t tensor) { return tensor_scopes_[tensor].has_value(); });
  }

  Status place(const std::vector<size_t>& group) {
    size_t scope = kRequest;
    for (const size_t step : group)
      for (const size_t tensor : read_by(step)) {
        const auto both = joined(scope, *tensor_scopes_[tensor]);
        if (!both) return mixed(plan_.steps[step].model);
        scope = *both;
      }
    for (const size_t step : group) {
      step_scopes_[step] = scope;
      size_t of_outputs = scope;
      if (plan_.steps[step].decoupled) {
        of_outputs = scopes_.size();
        scopes_.push_back({scope, step, scopes_[scope].depth + 1});
      }
      for (const EnsemblePlan::Port& output : plan_.steps[step].outputs) tensor_scopes_[output.tensor] = of_outputs;
    }
    return ok_status();
  }

  std::shared_ptr<const EnsembleLevels> make_levels(size_t most_under_way) const {
    auto out = std::make_shared<EnsembleLevels>();
    out->most_under_way = most_under_way;
    for (size_t level = 0; level < chain_.size(); ++level) {
      EnsembleLevels::Level one;
      one.last = level_plan(level, /*passing=*/false);
      if (level + 1 < chain_.size()) {
        one.passing = level_plan(level, /*passing=*/true);
        one.source = scopes_[chain_[level + 1]].step;
        one.reenters = is_asked_below(level, plan_.steps[one.source].model);
      }
      out->levels.push_back(std::move(one));
    }
    for (const EnsemblePlan::Input& output : plan_.outputs)
      out->output_levels.push_back(scopes_[*tensor_scopes_[output.tensor]].depth);
    return out;
  }

  /// At most so deep, on the way to the outputs.
  bool is_there(size_t tensor, size_t level) const {
    return tensor_scopes_[tensor] && scopes_[*tensor_scopes_[tensor]].depth <= level &&
           lies_in(chain_.back(), *tensor_scopes_[tensor]);
  }

  /// Those of the level itself, without those that are decoupled.
  std::vector<size_t> steps_of(size_t level) const {
    std::vector<size_t> out;
    for (size_t step = 0; step < plan_.steps.size(); ++step)
      if (step_scopes_[step] == chain_[level] && !plan_.steps[step].decoupled) out.push_back(step);
    return out;
  }

  bool is_asked_below(size_t level, const std::string& model) const {
    return std::any_of(chain_.begin() + static_cast<std::ptrdiff_t>(level) + 1, chain_.end(), [&](size_t scope) {
      for (size_t step = 0; step < plan_.steps.size(); ++step)
        if (step_scopes_[step] == scope && plan_.steps[step].model == model) return true;
      return false;
    });
  }

  /// Tensors that are there after the level, and that deeper ones need.
  std::vector<size_t> passed_on(size_t level) const {
    std::vector<size_t> needed;
    for (const EnsemblePlan::Input& input : plan_.steps[scopes_[chain_[level + 1]].step].inputs)
      needed.push_back(input.tensor);
    for (const EnsemblePlan::Input& output : plan_.outputs) needed.push_back(output.tensor);
    for (size_t deeper = level + 1; deeper < chain_.size(); ++deeper) {
      std::vector<size_t> steps = steps_of(deeper);
      if (deeper + 1 < chain_.size()) steps.push_back(scopes_[chain_[deeper + 1]].step);
      for (const size_t step : steps)
        for (const size_t tensor : read_by(step)) needed.push_back(tensor);
    }
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
    std::erase_if(needed, [&](size_t tensor) { return !is_there(tensor, level); });
    return needed;
  }

  /// The steps of one level as an ensemble by themselves, with the tensors of the whole and their names.
  std::shared_ptr<const EnsemblePlan> level_plan(size_t level, bool passing) const {
    auto out = std::make_shared<EnsemblePlan>();
    out->name = plan_.name;
    out->batched = plan_.batched;
    out->conditional = plan_.conditional;
    out->tensors = plan_.tensors;
    out->readers.resize(plan_.tensors.size());
    const std::vector<size_t> steps = steps_of(level);
    out->writers.assign(plan_.tensors.size(), steps.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EnsemblePlan::Step step = plan_.steps[steps[i]];
      for (size_t& other : step.alternatives)
        other = static_cast<size_t>(std::find(steps.begin(), steps.end(), other) - steps.begin());
      for (const size_t tensor : read_by(steps[i])) {
        auto& readers = out->readers[tensor];
        if (readers.empty() || readers.back() != i) readers.push_back(i);
      }
      for (const EnsemblePlan::Port& output : step.outputs) out->writers[output.tensor] = i;
      out->steps.push_back(std::move(step));
    }
    if (passing)
      for (const size_t tensor : passed_on(level)) out->outputs.push_back({{plan_.tensors[tensor], tensor}});
    else
      for (const EnsemblePlan::Input& output : plan_.outputs)
        if (is_there(output.tensor, level)) out->outputs.push_back(output);
    add_inputs(level, *out);
    return out;
  }

  /// What comes from outside of the level: of the request under the names of the ensemble, else of the tensors.
  void add_inputs(size_t level, EnsemblePlan& out) const {
    if (level == 0) {
      out.inputs = plan_.inputs;
      return;
    }
    for (size_t tensor = 0; tensor < plan_.tensors.size(); ++tensor)
      if (out.writers[tensor] == out.steps.size() && is_there(tensor, level))
        out.inputs.push_back({plan_.tensors[tensor], tensor});
  }

  EnsemblePlan& plan_;
  std::vector<std::optional<size_t>> tensor_scopes_;  // by tensor
  std::vector<size_t> step_scopes_ = std::vector<size_t>(plan_.steps.size(), kRequest);
  std::vector<Scope> scopes_{Scope{}};  // by scope
  std::vector<size_t> chain_;           // the scopes from the request to the outputs, by level
};

}  // namespace

Status split_into_levels(EnsemblePlan& plan, size_t most_under_way) {
  const bool any = std::any_of(plan.steps.begin(), plan.steps.end(), [](const auto& step) { return step.decoupled; });
  return any ? LevelSplit(plan).run(most_under_way) : ok_status();
}

}  // namespace modelmill
