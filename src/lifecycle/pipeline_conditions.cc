#include "lifecycle/pipeline_conditions.h"

#include <algorithm>
#include <vector>

#include "model/pipeline_check.h"

namespace modelmill {
namespace {

size_t place_of(const EnsemblePlan& plan, const std::string& tensor) {
  return static_cast<size_t>(std::find(plan.tensors.begin(), plan.tensors.end(), tensor) - plan.tensors.begin());
}

Status check_type(const std::string& where, const StepCondition& when, DataType dtype) {
  const std::string what = where + "tensor '" + when.tensor + "' is ";
  if (dtype == DataType::kInvalid)
    return invalid_argument(where + "the type of tensor '" + when.tensor +
                            "', which a condition looks at, is unknown; " + "say it in inputs");
  if (dtype == DataType::kBytes && !when.is_text)
    return invalid_argument(what + "BYTES, and its condition is of numbers; compare it with a text, in quotes");
  if (dtype != DataType::kBytes && when.is_text)
    return invalid_argument(what + std::string(dtype_name(dtype)) + ", and its condition is of the text '" + when.text +
                            "'; compare it with a number");
  return ok_status();
}

/// Tensors that are written in every request: by the last of a group that has no condition of its own and all that it
/// needs.
std::vector<bool> sure_tensors(const ModelDefinition& definition, const std::set<size_t>& optional,
                               const EnsemblePlan& plan) {
  std::vector<bool> sure(plan.tensors.size(), false);
  for (const EnsemblePlan::Port& input : plan.inputs) sure[input.tensor] = !optional.contains(input.tensor);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      const EnsemblePlan::Step& step = plan.steps[i];
      const bool is_last = step.alternatives.empty() || step.alternatives.back() == i;
      if (!is_last || definition.ensemble->steps[i].when) continue;
      const bool runs = std::all_of(step.inputs.begin(), step.inputs.end(), [&](const EnsemblePlan::Input& input) {
        return input.optional || sure[input.tensor];
      });
      for (const EnsemblePlan::Port& output : step.outputs) {
        if (!runs || sure[output.tensor]) continue;
        sure[output.tensor] = moved = true;
      }
    }
  }
  return sure;
}

}  // namespace

Status plan_conditions(const ModelDefinition& definition, const std::function<DataType(const std::string&)>& type_of,
                       const std::set<size_t>& optional, EnsemblePlan& plan) {
  const std::vector<EnsembleStep>& steps = definition.ensemble->steps;
  const std::string where = "in ensemble " + definition.name + ", ";
  const auto alternatives = alternatives_of(steps);
  plan.conditional = true;
  for (size_t i = 0; i < steps.size(); ++i) {
    EnsemblePlan::Step& step = plan.steps[i];
    if (alternatives[i].size() > 1) step.alternatives = alternatives[i];
    for (const size_t other : step.alternatives)
      if (plan.steps[other].batched != step.batched)
        return invalid_argument(where + "models " + plan.steps[other].model + " and " + step.model +
                                " write the same tensors, and only one of them has a batch dimension; give both one, "
                                "or none");
    if (!steps[i].when) continue;
    MM_RETURN_IF_ERROR(check_type(where, *steps[i].when, type_of(steps[i].when->tensor)));
    step.when = steps[i].when;
    step.when_tensor = place_of(plan, step.when->tensor);
    auto& readers = plan.readers[step.when_tensor];
    if (std::find(readers.begin(), readers.end(), i) == readers.end()) readers.push_back(i);
  }
  const std::vector<bool> sure = sure_tensors(definition, optional, plan);
  for (const EnsemblePlan::Input& output : plan.outputs)
    if (!sure[output.tensor])
      return invalid_argument(where + "output '" + output.name +
                              "' may be written by nobody: all steps that write it have conditions, or read what may "
                              "be missing; add one that has when: otherwise, or leave it out of outputs");
  return ok_status();
}

}  // namespace modelmill
