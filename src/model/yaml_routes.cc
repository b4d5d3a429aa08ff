#include "model/yaml_routes.h"

#include <set>
#include <utility>

#include "model/yaml_check.h"
#include "model/yaml_json.h"

namespace modelmill {

std::vector<YamlRoute> routes_of_yaml(const YAML::Node& routes, const std::string& file,
                                      std::vector<ConfigProblem>& problems) {
  std::vector<YamlRoute> out;
  std::set<std::string> names;
  if (!routes.IsDefined()) return out;
  for (const auto& entry : routes) {
    const std::string place = yaml_place(file, entry.Mark());
    auto route = parse_route(json_of_yaml(entry));
    if (!route.ok())
      problems.push_back({route.status().code(), place, route.status().message()});
    else if (!names.insert(route->name).second)
      problems.push_back({Code::kInvalidArgument, place, "route '" + route->name + "' is declared twice"});
    else
      out.push_back({*std::move(route), place});
  }
  return out;
}

}  // namespace modelmill
