#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/device_budgets.h"
#include "model/yaml_routes.h"

namespace modelmill {

/// What the paths of a server declare beside models, and in which files.
struct DeclaredRoutes {
  std::vector<YamlRoute> routes;
  DeviceBudgets device_memory;
  std::vector<std::string> files;  // each modelmill.yaml, whether it declares any or not
};

/// The modelmill.yaml that a path of the command line means: the file itself, or the one in the folder; empty when it
/// means none.
std::string yaml_file_of(const std::string& path);

/// Reads the routes and device budgets of each modelmill.yaml that the paths name. An error for one that can't be read,
/// with its place, and for a route, or the budget of a device, that is declared twice.
Result<DeclaredRoutes> read_declared_routes(const std::vector<std::string>& paths);

}  // namespace modelmill
