#include "server/access/restriction.h"

#include <algorithm>
#include <vector>

#include "dialect/http_router.h"

namespace modelmill {
namespace {

using wire::ApiGroup;

constexpr ApiKinds kAll = (ApiKinds{1} << kApiKindNames.size()) - 1;

ApiKinds kinds_of_group(ApiGroup group) {
  switch (group) {
    case ApiGroup::kInference: return bit_of(ApiKind::kInference);
    case ApiGroup::kHealth: return bit_of(ApiKind::kHealth);
    case ApiGroup::kMetadata:
      // Which models there are is what Triton's index of the repository tells.
      return bit_of(ApiKind::kMetadata) | bit_of(ApiKind::kModelConfig) | bit_of(ApiKind::kStatistics) |
             bit_of(ApiKind::kModelRepository);
    case ApiGroup::kManagement: return bit_of(ApiKind::kModelRepository);
    case ApiGroup::kMetrics: break;
  }
  return 0;
}

/// v2/models/MODEL[/versions/V][/KIND], or v2/models/stats.
ApiKind kind_of_models(const std::vector<std::string>& path) {
  const std::string& last = path.back();
  if (path.size() == 3 && last == "stats") return ApiKind::kStatistics;
  if (path.size() < 4) return ApiKind::kMetadata;
  if (last == "infer" || last == "generate" || last == "generate_stream" || last == "infer_stream")
    return ApiKind::kInference;
  if (last == "ready") return ApiKind::kHealth;
  if (last == "config") return ApiKind::kModelConfig;
  if (last == "stats") return ApiKind::kStatistics;
  return last == "setting" ? ApiKind::kTrace : ApiKind::kMetadata;
}

ApiKind kind_of_v2(const std::vector<std::string>& path) {
  if (path.size() < 2) return ApiKind::kMetadata;
  const std::string& first = path[1];
  if (first == "models") return kind_of_models(path);
  if (first == "health") return ApiKind::kHealth;
  if (first == "repository") return ApiKind::kModelRepository;
  if (first == "systemsharedmemory" || first == "cudasharedmemory") return ApiKind::kSharedMemory;
  if (first == "trace") return ApiKind::kTrace;
  return first == "logging" ? ApiKind::kLogging : ApiKind::kMetadata;
}

ApiKind kind_of_method(std::string_view method) {
  if (method == "ServerLive" || method == "ServerReady" || method == "ModelReady") return ApiKind::kHealth;
  if (method == "ModelInfer" || method == "ModelStreamInfer") return ApiKind::kInference;
  if (method == "ModelConfig") return ApiKind::kModelConfig;
  if (method == "ModelStatistics") return ApiKind::kStatistics;
  if (method == "TraceSetting") return ApiKind::kTrace;
  if (method == "LogSettings") return ApiKind::kLogging;
  if (method.starts_with("Repository")) return ApiKind::kModelRepository;
  if (method.find("SharedMemory") != std::string_view::npos) return ApiKind::kSharedMemory;
  return ApiKind::kMetadata;
}

}  // namespace

std::optional<ApiKind> api_kind_named(std::string_view name) {
  const auto* const found = std::find(kApiKindNames.begin(), kApiKindNames.end(), name);
  if (found == kApiKindNames.end()) return std::nullopt;
  return static_cast<ApiKind>(found - kApiKindNames.begin());
}

ApiKinds http_api_kinds(std::string_view path, ApiGroup group) {
  const Result<std::vector<std::string>> segments = split_path(path);
  if (!segments.ok()) return kAll;
  if (segments->empty() || segments->front() != "v2") return kinds_of_group(group);
  return bit_of(kind_of_v2(*segments));
}

ApiKinds grpc_api_kinds(std::string_view path, ApiGroup group) {
  constexpr std::string_view kService = "/inference.GRPCInferenceService/";
  if (!path.starts_with(kService)) return kinds_of_group(group);
  return bit_of(kind_of_method(path.substr(kService.size())));
}

}  // namespace modelmill
