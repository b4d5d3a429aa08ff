#include "server/access/restriction.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace modelmill {
namespace {

using wire::ApiGroup;

TEST(RestrictionTest, EveryPathOfTritonsHasOneKind) {
  const std::vector<std::pair<const char*, ApiKind>> paths = {
      {"/v2", ApiKind::kMetadata},
      {"/v2/health/ready", ApiKind::kHealth},
      {"/v2/models/m", ApiKind::kMetadata},
      {"/v2/models/m/versions/3", ApiKind::kMetadata},
      {"/v2/models/m/ready", ApiKind::kHealth},
      {"/v2/models/m/versions/3/infer", ApiKind::kInference},
      {"/v2/models/m/generate_stream", ApiKind::kInference},
      {"/v2/models/m/infer_stream", ApiKind::kInference},
      {"/v2//models/m/%69nfer", ApiKind::kInference},
      {"/v2/models/m/config", ApiKind::kModelConfig},
      {"/v2/models/stats", ApiKind::kStatistics},
      {"/v2/models/stats/infer", ApiKind::kInference},
      {"/v2/models/m/stats", ApiKind::kStatistics},
      {"/v2/models/m/trace/setting", ApiKind::kTrace},
      {"/v2/trace/setting", ApiKind::kTrace},
      {"/v2/logging", ApiKind::kLogging},
      {"/v2/repository/index", ApiKind::kModelRepository},
      {"/v2/repository/models/m/load", ApiKind::kModelRepository},
      {"/v2/cudasharedmemory/status", ApiKind::kSharedMemory},
      {"/v2/systemsharedmemory/region/r/register", ApiKind::kSharedMemory},
  };
  for (const auto& [path, kind] : paths) EXPECT_EQ(http_api_kinds(path, ApiGroup::kMetadata), bit_of(kind)) << path;
}

TEST(RestrictionTest, OtherProtocolsAreNoWayAround) {
  EXPECT_EQ(http_api_kinds("/v1/models/m:predict", ApiGroup::kInference), bit_of(ApiKind::kInference));
  EXPECT_EQ(http_api_kinds("/models", ApiGroup::kManagement), bit_of(ApiKind::kModelRepository));
  EXPECT_NE(http_api_kinds("/models", ApiGroup::kMetadata) & bit_of(ApiKind::kModelRepository), 0U);
  EXPECT_NE(http_api_kinds("/api/models", ApiGroup::kMetadata) & bit_of(ApiKind::kStatistics), 0U);
  EXPECT_EQ(http_api_kinds("/metrics", ApiGroup::kMetrics), 0U);
  EXPECT_NE(http_api_kinds("/v2/models/%zz/infer", ApiGroup::kMetadata) & bit_of(ApiKind::kInference), 0U);
  EXPECT_EQ(grpc_api_kinds("/tensorflow.serving.PredictionService/Predict", ApiGroup::kInference),
            bit_of(ApiKind::kInference));
}

TEST(RestrictionTest, MethodsHaveTheKindsOfTheirPaths) {
  const std::vector<std::pair<const char*, ApiKind>> methods = {
      {"ServerLive", ApiKind::kHealth},
      {"ModelReady", ApiKind::kHealth},
      {"ServerMetadata", ApiKind::kMetadata},
      {"ModelStreamInfer", ApiKind::kInference},
      {"ModelConfig", ApiKind::kModelConfig},
      {"ModelStatistics", ApiKind::kStatistics},
      {"RepositoryModelUnload", ApiKind::kModelRepository},
      {"CudaSharedMemoryRegister", ApiKind::kSharedMemory},
      {"TraceSetting", ApiKind::kTrace},
      {"LogSettings", ApiKind::kLogging},
  };
  for (const auto& [method, kind] : methods)
    EXPECT_EQ(grpc_api_kinds("/inference.GRPCInferenceService/" + std::string(method), ApiGroup::kManagement),
              bit_of(kind))
        << method;
}

TEST(RestrictionTest, KindsAreNamed) {
  EXPECT_EQ(api_kind_named("shared-memory"), ApiKind::kSharedMemory);
  EXPECT_EQ(api_kind_named("logging"), ApiKind::kLogging);
  EXPECT_EQ(api_kind_named("everything"), std::nullopt);
}

}  // namespace
}  // namespace modelmill
