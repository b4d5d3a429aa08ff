#include "cli/cloud_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

Variables with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

const Variables kVertex = with({{"AIP_HTTP_PORT", "8080"},
                                {"AIP_HEALTH_ROUTE", "/v1/endpoints/1/deployedModels/2"},
                                {"AIP_PREDICT_ROUTE", "/v1/endpoints/1/deployedModels/2:predict"}});

ServerConfig applied(const Variables& variables, AddressOptions given = {}, ServerConfig config = {}) {
  const Status status = apply_cloud_environment(variables, given, config);
  EXPECT_TRUE(status.ok()) << status.message();
  return config;
}

TEST(CloudEnvironment, NothingIsAsItWas) {
  const ServerConfig config = applied(with({}));
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_EQ(config.port, 8000);
  EXPECT_EQ(config.cloud_routes, invocations::CloudRoutes());
}

TEST(CloudEnvironment, VertexAiSaysWhereToListenAndWhatIsAsked) {
  const ServerConfig config = applied(kVertex);
  EXPECT_EQ(config.host, "0.0.0.0");
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.cloud_routes.health, "/v1/endpoints/1/deployedModels/2");
  EXPECT_EQ(config.cloud_routes.predict, "/v1/endpoints/1/deployedModels/2:predict");
}

TEST(CloudEnvironment, WhatTheCommandLineSaysCountsMore) {
  EXPECT_EQ(applied(kVertex, {.host = false, .port = true}).port, 8000);
  EXPECT_EQ(applied(kVertex, {.host = false, .port = true}).host, "127.0.0.1");
  EXPECT_EQ(applied(kVertex, {.host = true, .port = false}).host, "127.0.0.1");
  EXPECT_EQ(applied(kVertex, {.host = true, .port = false}).port, 8080);
  ServerConfig listening;
  listening.listen = {{wire::Endpoint::Scheme::kAny, "127.0.0.1", 9000, ""}};
  const ServerConfig config = applied(kVertex, {}, listening);
  ASSERT_EQ(config.listen.size(), 1U);
  EXPECT_EQ(config.listen[0].port, 9000);
  EXPECT_NE(config.cloud_routes.predict, "");
}

TEST(CloudEnvironment, APortThatIsNoneIsNamed) {
  for (const char* text : {"x", "0", "65536", "80 ", "-1"}) {
    ServerConfig config;
    const Status status = apply_cloud_environment(with({{"AIP_HTTP_PORT", text}}), {}, config);
    EXPECT_THAT(status.message(), HasSubstr("AIP_HTTP_PORT in the environment is '" + std::string(text))) << text;
  }
}

}  // namespace
}  // namespace modelmill
