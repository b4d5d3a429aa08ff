#include "server/access/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SetUpAccess : public ::testing::Test {
 protected:
  SetUpAccess() {
    fs::remove_all(folder_);
    router_.add(
        "m", [](const std::shared_ptr<wire::HttpExchange>&) {}, wire::ApiGroup::kManagement);
  }
  ~SetUpAccess() override { fs::remove_all(folder_); }

  Result<Access> set_up(bool beyond_loopback) {
    return set_up_access(config_, folder_.string(),
                         {{wire::Endpoint::Scheme::kAny, beyond_loopback ? "0.0.0.0" : "127.0.0.1", 0, ""}}, router_,
                         nullptr, metrics_);
  }
  static int status(const Access& access) {
    wire::HttpRequest request;
    request.method = "POST";
    request.path = "/m";
    std::unique_ptr<wire::Ticket> ticket;
    const auto reply = access.gatekeeper->admit(request, ticket);
    return reply ? reply->status : 0;
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "set_up_access";
  AccessConfig config_;
  HttpRouter router_;
  MetricRegistry metrics_;
};

TEST_F(SetUpAccess, OnTheLoopbackThereIsNothingToAsk) {
  const auto access = set_up(false);
  ASSERT_TRUE(access.ok());
  EXPECT_EQ(access->gatekeeper, nullptr);
  EXPECT_EQ(access->announcement, "");
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(SetUpAccess, BeyondItATokenIsMadeForManagement) {
  const auto access = set_up(true);
  ASSERT_TRUE(access.ok()) << access.status().to_string();
  EXPECT_THAT(access->announcement, HasSubstr("management needs a token of " + (folder_ / "token").string() +
                                              "; inference, health, metadata "));
  EXPECT_EQ(status(*access), 401);
}

TEST_F(SetUpAccess, WithoutAPlaceForItManagementIsOff) {
  std::ofstream(folder_) << "no folder";
  const auto access = set_up(true);
  ASSERT_TRUE(access.ok()) << access.status().to_string();
  EXPECT_THAT(access->announcement, HasSubstr("management is off"));
  EXPECT_EQ(status(*access), 403);
  ASSERT_TRUE(add_api_rule("inference=token", config_).ok());
  EXPECT_THAT(set_up(true).status().message(), HasSubstr("--state-dir"));
}

TEST_F(SetUpAccess, ATokenFileThatCannotBeUsedEndsTheStart) {
  config_.token_file = (folder_ / "none").string();
  EXPECT_THAT(set_up(true).status().message(), HasSubstr("cannot be read"));
}

TEST_F(SetUpAccess, LimitsAndPagesAreHeldOnTheLoopbackToo) {
  config_.client_concurrency = 1;
  EXPECT_NE(set_up(false)->gatekeeper, nullptr);
  config_.client_concurrency = 0;
  config_.cors_origins = {"*"};
  const auto access = set_up(false);
  EXPECT_NE(access->gatekeeper, nullptr);
  EXPECT_EQ(access->announcement, "");
}

}  // namespace
}  // namespace modelmill
