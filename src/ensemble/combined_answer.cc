#include "ensemble/combined_answer.h"

#include <algorithm>
#include <utility>

#include "ensemble/combine.h"

namespace modelmill {
namespace {

/// Of those that took part. Where a table has not all of them, as while an ensemble gets other members, or has nothing
/// but zeros for them, it is no use.
std::vector<double> weights_of(const EnsemblePlan& plan, const std::vector<size_t>& took_part,
                               const WeightTable* table) {
  std::vector<double> out;
  out.reserve(took_part.size());
  double sum = 0;
  for (size_t i = 0; table != nullptr && i < took_part.size(); ++i) {
    const std::optional<double> weight = table->of(plan.steps[took_part[i]].text());
    if (!weight) break;
    out.push_back(*weight);
    sum += *weight;
  }
  if (out.size() == took_part.size() && sum > 0) return out;
  out.clear();
  for (const size_t step : took_part) out.push_back(plan.combination.weights[step]);
  return out;
}

void tell_who(const EnsemblePlan& plan, const std::vector<size_t>& took_part, InferResponse& response) {
  std::string members, missing;
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    std::string& names = std::binary_search(took_part.begin(), took_part.end(), step) ? members : missing;
    names += (names.empty() ? "" : ",") + plan.steps[step].text();
  }
  response.parameters.set("ensemble_members", members);
  if (!missing.empty()) response.parameters.set("ensemble_missing", missing);
}

}  // namespace

bool is_wanted(const InferRequest& request, const std::string& output) {
  return request.outputs.empty() || std::any_of(request.outputs.begin(), request.outputs.end(),
                                                [&](const RequestedOutput& asked) { return asked.name == output; });
}

Status in_ensemble(const EnsemblePlan& plan, const Status& status, size_t step) {
  return {status.code(),
          "in ensemble '" + plan.name + "', model '" + plan.steps[step].text() + "': " + status.message()};
}

Status combine_answers(const EnsemblePlan& plan, const InferRequest& request, const EndedSteps& ended,
                       const WeightTable* table, InferResponse& response) {
  const EnsemblePlan::Combination& combination = plan.combination;
  const std::vector<double> weights = weights_of(plan, ended.took_part, table);
  tell_who(plan, ended.took_part, response);
  for (const EnsemblePlan::Combined& output : combination.outputs) {
    const bool labelled = !combination.label_output.empty() && is_wanted(request, combination.label_output);
    if (!labelled && !is_wanted(request, output.name)) continue;
    std::vector<const Tensor*> tensors;
    tensors.reserve(ended.took_part.size());
    for (const size_t step : ended.took_part) {
      const std::optional<Tensor>& tensor = ended.tensors[output.tensors[step]];
      if (!tensor) return in_ensemble(plan, internal("it has left out output '" + output.name + "'"), step);
      tensors.push_back(&*tensor);
    }
    auto combined = combine(combination.combiner, output.name, tensors, weights);
    if (!combined.ok()) return combined.status().with_context("in ensemble '" + plan.name + "'");
    if (labelled && combined->shape.empty())
      return internal("in ensemble '" + plan.name + "': output '" + output.name + "' has no dimension of classes");
    std::optional<Tensor> label;
    if (labelled) label = largest_class(combination.label_output, *combined);
    if (is_wanted(request, output.name)) response.outputs.push_back(*std::move(combined));
    if (label) response.outputs.push_back(*std::move(label));
  }
  return ok_status();
}

MemberAnswers answers_to_remember(const EnsemblePlan& plan, std::shared_ptr<const std::vector<std::string>> names,
                                  const EndedSteps& ended) {
  const EnsemblePlan::Combined& output = plan.combination.outputs[plan.combination.learned_output];
  MemberAnswers out;
  size_t bytes = 0;
  for (const size_t step : ended.took_part)
    if (const std::optional<Tensor>& tensor = ended.tensors[output.tensors[step]]) bytes += tensor->byte_size();
  if (bytes > AnswerMemory::kMostBytes) return out;  // not to be kept, so not to be copied
  out.members = std::move(names);
  out.combiner = plan.combination.combiner;
  out.output = output.name;
  for (const size_t step : ended.took_part) {
    const std::optional<Tensor>& tensor = ended.tensors[output.tensors[step]];
    if (!tensor) continue;
    const Bytes bytes = tensor->contiguous();
    out.dtype = tensor->dtype;
    out.shape = tensor->shape;
    out.took_part.push_back(step);
    out.data.emplace_back(bytes.view());
  }
  return out;
}

}  // namespace modelmill
