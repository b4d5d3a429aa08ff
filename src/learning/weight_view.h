#pragma once

#include <string>
#include <vector>

#include "base/json_text.h"
#include "learning/weight_keeper.h"

namespace modelmill {

/// How a combination stands, as JSON.
void write_combination_weights(JsonWriter& json, const std::string& name, const LearnedCombination& one);

/// What became of a batch: counts, and the ids that are unknown, the first hundred.
std::string feedback_answer(const std::vector<Feedback>& batch, const std::vector<FeedbackCount>& results);

/// The rule by which a combination's members are charged.
LossRule loss_rule_of(const EnsemblePlan::Combination& combination);

}  // namespace modelmill
