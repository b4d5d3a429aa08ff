#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "catalog/answer_memory.h"
#include "model/ensemble_definition.h"

namespace modelmill {

/// What would have been right, element by element.
using LabelElement = std::variant<int64_t, double, std::string>;
using Label = std::vector<LabelElement>;

struct LossRule {
  Combiner combiner = Combiner::kMajority;
  MemberLoss loss = MemberLoss::kZeroOne;
  double range = 1;
};

/// What each that took part is charged, from 0 to 1: the mean over the rows or elements of its answer. Labels are
/// classes, from 0, for a soft vote (one for each row); what the members give for others. INVALID_ARGUMENT when the
/// label doesn't suit the answer, FAILED_PRECONDITION when the rule doesn't suit the answer's type. Pure.
Result<std::vector<double>> member_losses(const MemberAnswers& answers, const Label& label, const LossRule& rule);

}  // namespace modelmill
