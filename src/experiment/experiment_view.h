#pragma once

#include <map>
#include <string>

#include "experiment/experiment_document.h"
#include "experiment/exposed_users.h"

namespace modelmill {

/// The numbers of an experiment and what they mean, as a JSON object.
std::string experiment_results_json(const Experiment& experiment, const ExposedUsers& users);

/// The last experiment of a name, and what a file wants of it, as clients see them. `results`: of one that runs.
/// `note`: what keeps it from counting; empty: nothing does.
std::string experiment_json(const std::string& name, const ExperimentDocument& document, const std::string& results,
                            const std::string& note);

/// All of them, with neither.
std::string experiment_list_json(const std::map<std::string, ExperimentRecords::Record>& all);

/// What became of a batch of outcomes. `deferred`: that are noted, and judged by whoever decides.
std::string outcome_counts_json(const std::map<ExperimentCount, uint64_t>& counts, uint64_t deferred);

/// "accepted", "duplicate", "unknown", "late", "keyless" or "full".
const char* experiment_count_name(ExperimentCount which);

}  // namespace modelmill
