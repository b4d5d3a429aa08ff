#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/ensemble_plan.h"
#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// A member as it is served.
struct EnsembleMember {
  ModelDefinition definition;
  Signature signature;
};
/// The member that a step asks; an error where there is none to ask.
using FindMember = std::function<Result<EnsembleMember>(const EnsembleStep& step)>;

/// An ensemble that has been held against its members.
struct PlannedEnsemble {
  std::shared_ptr<const EnsemblePlan> plan;
  Signature signature;
};

/// Holds an ensemble against its members as a whole, by Triton's rules and in its words, and plans how it is run: what
/// it takes and gives where its configuration leaves that open, types, shapes and batch sizes. What is decided is put
/// into `definition`: with a member that gives any number of answers the ensemble does too. Pure.
Result<PlannedEnsemble> plan_ensemble(ModelDefinition& definition, const FindMember& find);

/// A combination's, which plan_ensemble() hands on.
Result<PlannedEnsemble> plan_combination(ModelDefinition& definition, const FindMember& find);

/// Sizes that may be one shape: equal where neither is open.
bool may_be_equal(const Shape& a, const Shape& b);

}  // namespace modelmill
