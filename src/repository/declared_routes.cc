#include "repository/declared_routes.h"

#include <filesystem>
#include <set>
#include <utility>

#include "model/yaml_config.h"
#include "repository/declared_graphs.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRoutesLimit = 16 << 20;

/// False: one of them is there already.
bool add_budgets(const DeviceBudgets& more, DeviceBudgets& into) {
  if (more.each && into.each) return false;
  if (more.each) into.each = more.each;
  for (const auto& [gpu, bytes] : more.of)
    if (!into.of.emplace(gpu, bytes).second) return false;
  return true;
}

/// The same of a file however it is written, over restarts in other folders too.
std::string known_as(const std::string& file) {
  std::error_code error;
  const fs::path path = fs::absolute(file, error);
  return error ? file : path.lexically_normal().string();
}

Status add_wishes(std::vector<YamlWish> more, const char* what, std::vector<YamlWish>& into) {
  for (YamlWish& wish : more) {
    wish.file = known_as(wish.file);
    for (const YamlWish& other : into)
      if (other.name == wish.name)
        return invalid_argument(wish.place + ": " + what + " '" + wish.name +
                                "' is declared in another file too; remove one of them");
    into.push_back(std::move(wish));
  }
  return ok_status();
}

}  // namespace

std::string yaml_file_of(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    const fs::path file = fs::path(path) / kYamlConfigFile;
    return fs::is_regular_file(file, error) ? file.string() : std::string();
  }
  const std::string ending = fs::path(path).extension().string();
  const bool yaml = (ending == ".yaml" || ending == ".yml") && fs::is_regular_file(path, error);
  return yaml && !is_graph_file(path) ? path : std::string();
}

Result<DeclaredRoutes> read_declared_routes(const std::vector<std::string>& paths) {
  DeclaredRoutes out;
  std::set<std::string> names;
  for (const std::string& path : paths) {
    const std::string file = yaml_file_of(path);
    if (file.empty()) continue;
    out.files.push_back(file);
    MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kRoutesLimit));
    YamlConfig config = read_yaml_config(text, file);
    if (!config.problems.empty()) return status_of(config.problems.front());
    if (!add_budgets(config.device_memory, out.device_memory))
      return invalid_argument(file +
                              ": 'device_memory' of a device is declared in another file too; remove one of them");
    for (YamlRoute& route : config.routes) {
      if (!names.insert(route.route.name).second)
        return invalid_argument(route.place + ": route '" + route.route.name +
                                "' is declared in another file too; remove one of them");
      out.routes.push_back(std::move(route));
    }
    MM_RETURN_IF_ERROR(add_wishes(std::move(config.rollouts), "rollout", out.rollouts));
    MM_RETURN_IF_ERROR(add_wishes(std::move(config.experiments), "experiment", out.experiments));
    if (config.lists_models) out.listing_files.push_back(known_as(file));
  }
  return out;
}

}  // namespace modelmill
