#pragma once

#include <map>
#include <string>

#include "rollout/rollout_records.h"

namespace modelmill {

/// What both arms did at a rollout's step, and how its gates stand: the JSON object that is kept with each decision.
std::string rollout_numbers_json(const Rollout& rollout);

/// The documents of docs/rollouts.md: the last rollout of a name and what a file wants of it, those of all names, the
/// decisions of a name with the newest first.
std::string rollout_json(const std::string& name, const RolloutDocument& document);
std::string rollout_list_json(const std::map<std::string, RolloutRecords::Record>& all);
std::string rollout_history_json(const std::string& name, const RolloutDocument& document);

}  // namespace modelmill
