#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/device_budgets.h"
#include "model/yaml_routes.h"
#include "model/yaml_wishes.h"

namespace modelmill {

/// What the paths of a server declare beside models, and in which files.
struct DeclaredRoutes {
  std::vector<YamlRoute> routes;
  std::vector<YamlWish> rollouts, experiments;
  DeviceBudgets device_memory;
  std::vector<std::string> files;  // each modelmill.yaml, whether it declares any or not
  /// Those of them that list models, as wishes name them. Another one declares nothing, and may be a file that is just
  /// being written.
  std::vector<std::string> listing_files;
};

/// The modelmill.yaml that a path of the command line means: the file itself, or the one in the folder; empty when it
/// means none.
std::string yaml_file_of(const std::string& path);

/// Reads what each modelmill.yaml that the paths name declares. An error for one that can't be read, with its place,
/// and for what is declared twice.
Result<DeclaredRoutes> read_declared_routes(const std::vector<std::string>& paths);

}  // namespace modelmill
