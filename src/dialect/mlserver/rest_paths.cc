#include "dialect/mlserver/rest_paths.h"

#include <algorithm>
#include <array>
#include <vector>

#include "dialect/http_router.h"

namespace modelmill::mlserver {
namespace {

constexpr std::string_view kModel = "/{model_name}", kDocument = "dataplane.json";
constexpr std::array<std::string_view, 5> kQuestions = {"ready", "infer", "infer_stream", "generate",
                                                        "generate_stream"};

/// docs[/dataplane.json] from there on.
bool is_docs(const std::vector<std::string>& path, size_t at) {
  if (path.size() <= at || path[at] != "docs") return false;
  return path.size() == at + 1 || (path.size() == at + 2 && path[at + 1] == kDocument);
}

/// models/NAME[/versions/V][/QUESTION], `path` without v2.
std::string route_of_model(const std::vector<std::string>& path) {
  std::string route = "/v2/models";
  route += kModel;
  size_t at = 3;
  if (path.size() >= 5 && path[3] == "versions") {
    route += "/versions/{model_version}";
    at = 5;
  }
  if (path.size() == at) return route;
  if (is_docs(path, at)) return route + (path.size() == at + 1 ? "/docs" : "/docs/dataplane.json");
  if (path.size() != at + 1 || std::find(kQuestions.begin(), kQuestions.end(), path[at]) == kQuestions.end()) return {};
  return route + "/" + path[at];
}

}  // namespace

std::string route_of(std::string_view path) {
  const Result<std::vector<std::string>> split = split_path(path);
  if (!split.ok() || split->empty() || split->front() != "v2") return {};
  const std::vector<std::string>& parts = *split;
  if (parts.size() == 1) return "/v2";
  if (is_docs(parts, 1)) return parts.size() == 2 ? "/v2/docs" : "/v2/docs/dataplane.json";
  if (parts[1] == "models" && parts.size() >= 3) return route_of_model(parts);
  if (parts[1] != "repository") return {};
  if (parts.size() == 3 && parts[2] == "index") return "/v2/repository/index";
  if (parts.size() == 5 && parts[2] == "models" && (parts[4] == "load" || parts[4] == "unload"))
    return "/v2/repository/models" + std::string(kModel) + "/" + parts[4];
  return {};
}

}  // namespace modelmill::mlserver
