#include "dialect/kserve_v2/http_api_group.h"

#include <boost/container/small_vector.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/http_router.h"

namespace modelmill::kserve_v2 {
namespace {

using wire::ApiGroup;
using Path = boost::container::small_vector<std::string_view, 8>;

/// The segments of a path that has no escapes, views of it.
Path plain_segments(std::string_view path) {
  Path segments;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (slash != 0) segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return segments;
}

/// v2/models/MODEL[/versions/V][/KIND], or v2/models/stats.
ApiGroup models_group(const Path& path) {
  if (path.size() < 4) return ApiGroup::kMetadata;
  const std::string_view kind = path.back();
  if (kind == "infer" || kind == "generate" || kind == "generate_stream" || kind == "infer_stream" || kind == "explain")
    return ApiGroup::kInference;
  if (kind == "ready") return ApiGroup::kHealth;
  const bool is_setting = path.size() >= 5 && kind == "setting" && path[path.size() - 2] == "trace";
  return is_setting ? ApiGroup::kManagement : ApiGroup::kMetadata;
}

ApiGroup group_of(const Path& path) {
  if (path.size() < 2) return ApiGroup::kMetadata;
  const std::string_view first = path[1];
  if (first == "models") return models_group(path);
  if (first == "health") return ApiGroup::kHealth;
  if (first == "repository") return path.back() == "index" ? ApiGroup::kMetadata : ApiGroup::kManagement;
  if (first == "systemsharedmemory" || first == "cudasharedmemory")
    return path.back() == "status" ? ApiGroup::kMetadata : ApiGroup::kManagement;
  return first == "logging" || first == "trace" ? ApiGroup::kManagement : ApiGroup::kMetadata;
}

}  // namespace

ApiGroup http_api_group(const wire::HttpRequest& request) {
  if (request.path.find('%') == std::string::npos) return group_of(plain_segments(request.path));
  const Result<std::vector<std::string>> decoded = split_path(request.path);
  if (!decoded.ok()) return ApiGroup::kMetadata;
  return group_of(Path(decoded->begin(), decoded->end()));
}

}  // namespace modelmill::kserve_v2
