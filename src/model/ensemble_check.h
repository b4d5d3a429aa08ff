#pragma once

#include <string>
#include <vector>

#include "model/config_check.h"
#include "model/ensemble_definition.h"
#include "model_config.pb.h"

namespace modelmill {

/// The tensors of an ensemble's steps.
struct EnsembleGraph {
  std::vector<std::string> unwritten;  // read by steps, written by none: what the ensemble takes
  std::vector<std::string> unread;     // written by steps, read by none: what it gives
};
EnsembleGraph graph_of(const std::vector<EnsembleStep>& steps);

/// Rules that an ensemble breaks as far as it can be told without its members: Triton's, in its words. Nothing of a
/// model that is none. Pure.
std::vector<ConfigIssue> check_ensemble(const inference::ModelConfig& config);

/// The same for a combination.
std::vector<ConfigIssue> check_combination(const std::string& model, const CombinationDefinition& combination);

}  // namespace modelmill
