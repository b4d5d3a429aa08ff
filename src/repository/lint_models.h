#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/definition.h"
#include "repository/find_models.h"

namespace modelmill {

/// A model that is well configured, as far as can be told without loading it.
struct LintedModel {
  FoundModel found;
  std::vector<ModelLayer> layers;
  ModelDefinition definition;  // with its backend
  /// Where the backend comes from when no configuration names it.
  std::string backend_from;
};

struct LintReport {
  std::vector<LintedModel> models;
  std::vector<ConfigProblem> problems;
  /// What is accepted and has no effect.
  std::vector<ConfigProblem> notes;
};

/// Everything that is wrong with the models at the paths: with their files and their configurations. Loads nothing.
LintReport lint_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats,
                       const FindOptions& options = {});

}  // namespace modelmill
