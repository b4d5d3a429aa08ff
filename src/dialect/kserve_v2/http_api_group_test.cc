#include "dialect/kserve_v2/http_api_group.h"

#include <gtest/gtest.h>

namespace modelmill::kserve_v2 {
namespace {

using wire::ApiGroup;

TEST(HttpApiGroup, OfEachPath) {
  const std::pair<const char*, ApiGroup> table[] = {
      {"/v2", ApiGroup::kMetadata},
      {"/v2/", ApiGroup::kMetadata},
      {"/v2/health/live", ApiGroup::kHealth},
      {"/v2/health/ready", ApiGroup::kHealth},
      {"/v2/models/m", ApiGroup::kMetadata},
      {"/v2/models/m/versions/3", ApiGroup::kMetadata},
      {"/v2/models/m/config", ApiGroup::kMetadata},
      {"/v2/models/m/stats", ApiGroup::kMetadata},
      {"/v2/models/stats", ApiGroup::kMetadata},
      {"/v2/models/m/ready", ApiGroup::kHealth},
      {"/v2/models/m/versions/3/ready", ApiGroup::kHealth},
      {"/v2/models/m/infer", ApiGroup::kInference},
      {"/v2/models/m/versions/3/infer", ApiGroup::kInference},
      {"/v2/models/m/generate", ApiGroup::kInference},
      {"/v2/models/m/generate_stream", ApiGroup::kInference},
      {"/v2/models/m/explain", ApiGroup::kInference},
      {"/v2/models/m/versions/1/explain", ApiGroup::kInference},
      {"/v2/models/m/infer_stream", ApiGroup::kInference},
      {"/v2/models/m/trace/setting", ApiGroup::kManagement},
      {"/v2/models/m/versions/3/trace/setting", ApiGroup::kManagement},
      {"/v2/models/trace/config", ApiGroup::kMetadata},
      {"/v2/models/infer", ApiGroup::kMetadata},
      {"/v2/trace/setting", ApiGroup::kManagement},
      {"/v2/logging", ApiGroup::kManagement},
      {"/v2/repository/index", ApiGroup::kMetadata},
      {"/v2/repository/name/index", ApiGroup::kMetadata},
      {"/v2/repository/models/m/load", ApiGroup::kManagement},
      {"/v2/repository/name/models/m/unload", ApiGroup::kManagement},
      {"/v2/systemsharedmemory/status", ApiGroup::kMetadata},
      {"/v2/cudasharedmemory/region/r/status", ApiGroup::kMetadata},
      {"/v2/systemsharedmemory/region/r/register", ApiGroup::kManagement},
      {"/v2/cudasharedmemory/unregister", ApiGroup::kManagement},
      {"/v2/unheard/of", ApiGroup::kMetadata},
  };
  for (const auto& [path, group] : table) {
    wire::HttpRequest request;
    request.path = path;
    EXPECT_EQ(http_api_group(request), group) << path;
  }
}

TEST(HttpApiGroup, OfOtherSpellingsOfAPath) {
  const std::pair<const char*, ApiGroup> table[] = {
      {"/v2//models///m/infer/", ApiGroup::kInference},
      {"/v2/models/m/%69nfer", ApiGroup::kInference},
      {"/v2/%6dodels/m/infer", ApiGroup::kInference},
      {"/v2/models/a%2fb/infer", ApiGroup::kInference},
      {"/v2/rep%6Fsitory/models/m/l%6fad", ApiGroup::kManagement},
      {"/v2/models/m/inf%zz", ApiGroup::kMetadata},  // malformed: the routes answer 400
  };
  for (const auto& [path, group] : table) {
    wire::HttpRequest request;
    request.path = path;
    EXPECT_EQ(http_api_group(request), group) << path;
  }
}

}  // namespace
}  // namespace modelmill::kserve_v2
