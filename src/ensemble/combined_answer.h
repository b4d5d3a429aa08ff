#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "catalog/combination_weights.h"
#include "catalog/ensemble_plan.h"
#include "request/infer_request.h"

namespace modelmill {

/// What there is at the end of a request to an ensemble.
struct EndedSteps {
  std::vector<std::optional<Tensor>> tensors;  // of the plan
  std::vector<size_t> took_part;               // steps that answered, ascending
};

/// Whether the client wants the output.
bool is_wanted(const InferRequest& request, const std::string& output);

/// `status`, and which member of which ensemble it is of.
Status in_ensemble(const EnsemblePlan& plan, const Status& status, size_t step);

/// Puts the outputs that `request` wants, made of the members' by their weights (null: those of the plan), into
/// `response`, and who took part.
Status combine_answers(const EnsemblePlan& plan, const InferRequest& request, const EndedSteps& ended,
                       const WeightTable* table, InferResponse& response);

/// What is to be remembered of an answer, until somebody tells what would have been right. `names` are the steps'.
/// Nothing of what is more than can be remembered; it takes the place of what was known by the id all the same.
MemberAnswers answers_to_remember(const EnsemblePlan& plan, std::shared_ptr<const std::vector<std::string>> names,
                                  const EndedSteps& ended);

}  // namespace modelmill
