#include "server/access/access_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using Kind = AccessRule::Kind;
using wire::ApiGroup;

const AccessRule& of(const AccessRules& rules, ApiGroup group) { return rules[static_cast<size_t>(group)]; }

TEST(AccessConfig, KeysAndTokensExcludeEachOther) {
  AccessConfig config;
  config.key_file = "key_file.json";
  EXPECT_TRUE(check_access_config(config).ok());
  config.token_file = "tokens";
  EXPECT_EQ(check_access_config(config).code(), Code::kInvalidArgument);
  config.token_file.clear();
  ASSERT_TRUE(add_api_rule("management=token", config).ok());
  EXPECT_EQ(check_access_config(config).code(), Code::kInvalidArgument);
  config.rules = {};
  ASSERT_TRUE(add_api_rule("management=off", config).ok());
  EXPECT_TRUE(check_access_config(config).ok());
  config.key_minutes = 0;
  EXPECT_EQ(check_access_config(config).code(), Code::kInvalidArgument);
}

TEST(AccessConfig, ReadsRules) {
  AccessConfig config;
  EXPECT_TRUE(add_api_rule("metrics=off", config).ok());
  EXPECT_TRUE(add_api_rule("metadata=token", config).ok());
  EXPECT_TRUE(add_api_rule("management=open", config).ok());
  EXPECT_TRUE(add_api_rule("inference=header:X-Api-Key=a=b", config).ok());
  const AccessRules rules = access_rules(config, true);
  EXPECT_EQ(of(rules, ApiGroup::kMetrics), (AccessRule{Kind::kOff, "", ""}));
  EXPECT_EQ(of(rules, ApiGroup::kMetadata), (AccessRule{Kind::kToken, "", ""}));
  EXPECT_EQ(of(rules, ApiGroup::kManagement), (AccessRule{Kind::kOpen, "", ""}));
  EXPECT_EQ(of(rules, ApiGroup::kInference), (AccessRule{Kind::kHeader, "x-api-key", "a=b"}));
  EXPECT_EQ(of(rules, ApiGroup::kHealth), (AccessRule{Kind::kOpen, "", ""}));
}

TEST(AccessConfig, RefusesWhatIsNoRule) {
  for (const char* text : {"metrics", "metrics=", "metrics=shut", "metrics=header:", "metrics=header:x",
                           "metrics=header:x=", "metrics=header:=v", "metrics=header:a b=v"}) {
    AccessConfig config;
    EXPECT_THAT(add_api_rule(text, config).message(), HasSubstr("metrics=open, =off, =token")) << text;
  }
  AccessConfig config;
  EXPECT_THAT(add_api_rule("metric=off", config).message(),
              HasSubstr("'metric' is no group of calls; they are inference, health, metadata, metrics, management"));
  EXPECT_TRUE(add_api_rule("health=off", config).ok());
  EXPECT_THAT(add_api_rule("health=open", config).message(), HasSubstr("given twice"));
}

TEST(AccessConfig, ClosesManagementBeyondTheLoopbackAlone) {
  const AccessConfig config;
  EXPECT_FALSE(asks_for_token(access_rules(config, false)));
  const AccessRules rules = access_rules(config, true);
  EXPECT_TRUE(asks_for_token(rules));
  for (const ApiGroup group : {ApiGroup::kInference, ApiGroup::kHealth, ApiGroup::kMetadata, ApiGroup::kMetrics})
    EXPECT_EQ(of(rules, group).kind, Kind::kOpen);
  EXPECT_EQ(of(rules, ApiGroup::kManagement).kind, Kind::kToken);
}

TEST(AccessConfig, KnowsTheLoopback) {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host :
       {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "example.com", "localhost.com", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

TEST(AccessConfig, OneEndpointBeyondTheLoopbackIsEnough) {
  wire::Endpoint unix_socket;
  unix_socket.host = "0.0.0.0";
  unix_socket.path = "/run/m.sock";
  wire::Endpoint everywhere;
  everywhere.host = "0.0.0.0";
  EXPECT_FALSE(listens_beyond_loopback({wire::Endpoint(), unix_socket}));
  EXPECT_TRUE(listens_beyond_loopback({wire::Endpoint(), everywhere}));
}

TEST(AccessConfig, ReadsRates) {
  EXPECT_DOUBLE_EQ(*parse_client_rate("100"), 100);
  EXPECT_DOUBLE_EQ(*parse_client_rate("2.5/s"), 2.5);
  EXPECT_DOUBLE_EQ(*parse_client_rate("30/m"), 0.5);
  EXPECT_DOUBLE_EQ(*parse_client_rate("36/h"), 0.01);
  for (const char* text : {"", "x", "-1", "0", "1/d", "1 /s", "1e3", "nan", "inf", "10000000000"})
    EXPECT_THAT(parse_client_rate(text).status().message(), HasSubstr("is no rate")) << text;
}

TEST(AccessConfig, ChecksOriginsAndLimits) {
  const auto message = [](auto change) {
    AccessConfig config;
    change(config);
    return check_access_config(config).message();
  };
  EXPECT_EQ(message([](AccessConfig& c) { c.cors_origins = {"*", "https://a.example", "http://localhost:3000"}; }), "");
  for (const char* origin :
       {"", "a.example", "https://", "https://a.example/", "https://a.example/path", "https://*.a.example"})
    EXPECT_THAT(message([&](AccessConfig& c) { c.cors_origins = {origin}; }), HasSubstr("is no origin")) << origin;
  EXPECT_THAT(message([](AccessConfig& c) { c.client_concurrency = -1; }), HasSubstr("--client-concurrency is -1"));
  EXPECT_THAT(message([](AccessConfig& c) { c.client_burst = 5; }), HasSubstr("needs --client-rate"));
}

TEST(AccessConfig, SaysTheRulesInALine) {
  AccessConfig config;
  ASSERT_TRUE(add_api_rule("metrics=off", config).ok());
  ASSERT_TRUE(add_api_rule("inference=header:x-key=secret", config).ok());
  EXPECT_EQ(access_text(access_rules(config, true), "/t/token"),
            "Access: inference needs the header x-key; management needs a token of /t/token; metrics is off; "
            "health and metadata are open to whoever reaches the port.\n");
}

}  // namespace
}  // namespace modelmill
