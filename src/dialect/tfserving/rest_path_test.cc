#include "dialect/tfserving/rest_path.h"

#include <gtest/gtest.h>

namespace modelmill::tfserving {
namespace {

struct Good {
  const char* method;
  const char* path;
  Ask ask;
  const char* model;
  int64_t version = -1;  // none
  const char* label = "";
  Dialects dialects = Dialects::kBoth;
};

TEST(RestPath, Reads) {
  const Good table[] = {
      {"POST", "/v1/models/m:predict", Ask::kPredict, "m"},
      {"POST", "/v1/models/m:classify", Ask::kClassify, "m"},
      {"POST", "/v1/models/m:regress", Ask::kRegress, "m"},
      {"POST", "/V1/Models/m:PREDICT", Ask::kPredict, "m"},
      {"POST", "/v1/models/m/versions/12:predict", Ask::kPredict, "m", 12},
      {"POST", "/v1/models/m/labels/canary:predict", Ask::kPredict, "m", -1, "canary"},
      {"POST", "/v1/models/a%20b:predict", Ask::kPredict, "a b"},
      {"POST", "/kserve/v1/models/m:explain", Ask::kExplain, "m", -1, "", Dialects::kKserveV1},
      {"GET", "/v1/models", Ask::kList, ""},
      {"GET", "/v1/models/", Ask::kList, ""},
      {"GET", "/v1/models/m", Ask::kStatus, "m"},
      {"GET", "/v1/models/m/versions/2", Ask::kStatus, "m", 2},
      {"GET", "/v1/models/m/labels/canary", Ask::kStatus, "m", -1, "canary"},
      {"GET", "/v1/models/m/metadata", Ask::kMetadata, "m"},
      {"GET", "/v1/models/m/versions/2/metadata", Ask::kMetadata, "m", 2},
      {"GET", "/tfserving/v1/models/m", Ask::kStatus, "m", -1, "", Dialects::kTfServing},
      {"POST", "/kserve/v1/models/m:predict", Ask::kPredict, "m", -1, "", Dialects::kKserveV1},
  };
  for (const Good& good : table) {
    const auto path = parse_rest_path(good.method, good.path);
    ASSERT_TRUE(path.ok()) << good.path << path.status().to_string();
    EXPECT_EQ(path->ask, good.ask) << good.path;
    EXPECT_EQ(path->target.model, good.model) << good.path;
    EXPECT_EQ(path->target.version.value_or(-1), good.version) << good.path;
    EXPECT_EQ(path->target.label, good.label) << good.path;
    EXPECT_EQ(path->dialects, good.dialects) << good.path;
  }
}

TEST(RestPath, WhatIsNoneIsMalformed) {
  const std::pair<const char*, const char*> table[] = {
      {"POST", "/v1/models/m"},
      {"POST", "/v1/models/m:explode"},
      {"POST", "/tfserving/v1/models/m:explain"},
      {"POST", "/v1/models/:predict"},
      {"POST", "/v1/models:predict"},
      {"POST", "/v1/models/m:predict/more"},
      {"POST", "/v1/models/m/versions/x:predict"},
      {"GET", "/v1/models/m/versions"},
      {"GET", "/v1/models/m/other/2"},
      {"GET", "/v1"},
      {"GET", "/v1/other/m"},
      {"GET", "/tfserving/models/m"},
      {"DELETE", "/v1/models/m"},
      {"PUT", "/v1/models/m:predict"},
      {"GET", "/v1/models/%zz"},
      {"GET", "/v1/models/m/labels/a/b/metadata"},
  };
  for (const auto& [method, path] : table)
    EXPECT_EQ(parse_rest_path(method, path).status().code(), Code::kInvalidArgument) << method << path;
  EXPECT_EQ(parse_rest_path("POST", "/v1/models/m").status().message(), "Malformed request: POST /v1/models/m");
  EXPECT_EQ(parse_rest_path("GET", "/v1/models/m/versions/99999999999999999999").status().message(),
            "Failed to convert version: 99999999999999999999 to numeric.");
}

}  // namespace
}  // namespace modelmill::tfserving
