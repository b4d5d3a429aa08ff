#include "server/access/redirect_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dialect/testing/fakes.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;

/// Keeps what it is asked, and lets it in.
class Inner final : public wire::Gatekeeper {
 public:
  std::optional<wire::HttpReply> admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>&) override {
    asked = request.method + " " + request.path;
    return refusal;
  }
  Status admit(const wire::GrpcCallHead&, std::unique_ptr<wire::Ticket>&, wire::GrpcMetadata&) override {
    return ok_status();
  }
  std::string asked;
  std::optional<wire::HttpReply> refusal;
};

class RedirectGateTest : public ::testing::Test {
 protected:
  std::optional<wire::HttpReply> admit(wire::HttpRequest& request) {
    std::unique_ptr<wire::Ticket> ticket;
    return gate_.admit(request, ticket);
  }
  /// What is asked in the place of the path of inference.
  std::string asked(const std::string& to) {
    auto request = testing::http_request("POST", "/predict", "", {{"x-vertex-ai-triton-redirect", to}});
    inner_->asked.clear();
    const auto reply = admit(request);
    EXPECT_EQ(reply.has_value(), inner_->asked.empty()) << to;
    EXPECT_EQ(reply ? reply->status : 400, 400) << to;
    EXPECT_TRUE(reply || inner_->asked == request.method + " " + request.path) << to;
    return inner_->asked;
  }

  const std::shared_ptr<Inner> inner_ = std::make_shared<Inner>();
  std::vector<std::string> logged_;
  RedirectGate gate_{"/predict", inner_, [this](const AccessRecord& record) {
                       EXPECT_GT(record.bytes, 0U);
                       logged_.push_back(std::string(record.method) + " " + std::string(record.path) + " " +
                                         std::to_string(record.status));
                     }};
};

TEST_F(RedirectGateTest, ThePathThatIsMeantIsDecidedAbout) {
  EXPECT_EQ(asked("v2/models/m/infer"), "POST /v2/models/m/infer");
  EXPECT_EQ(asked("/v2/models/m/versions/1/infer"), "POST /v2/models/m/versions/1/infer");
  EXPECT_EQ(asked("v2/models/m/ready"), "GET /v2/models/m/ready");
  EXPECT_EQ(asked("v2/models/infer"), "GET /v2/models/infer");  // a model of that name
  EXPECT_EQ(asked("v2/models/stats"), "GET /v2/models/stats");
  EXPECT_EQ(asked("v2/health/ready"), "GET /v2/health/ready");
  EXPECT_EQ(asked("v2"), "GET /v2");
  EXPECT_EQ(asked("metrics"), "GET /metrics");
  EXPECT_EQ(asked("v2/repository/models/m/load"), "POST /v2/repository/models/m/load");
  EXPECT_EQ(asked("v2/systemsharedmemory/region/r/register"), "POST /v2/systemsharedmemory/region/r/register");
  EXPECT_EQ(asked("v2/cudasharedmemory/status"), "GET /v2/cudasharedmemory/status");
}

TEST_F(RedirectGateTest, OtherPathsAreNotReached) {
  for (const char* to : {"admin/routes", "v2/logging", "models", "metrics/x", "v1/models/m:predict", "%zz", "/"})
    EXPECT_EQ(asked(to), "") << to;
  auto request = testing::http_request("GET", "/predict", "", {{"x-vertex-ai-triton-redirect", "v2"}});
  EXPECT_EQ(admit(request)->status, 405);
}

TEST_F(RedirectGateTest, WhatItRefusesIsInTheAccessLog) {
  EXPECT_EQ(asked("admin/routes"), "");
  auto request = testing::http_request("GET", "/predict", "", {{"x-vertex-ai-triton-redirect", "v2"}});
  EXPECT_TRUE(admit(request));
  EXPECT_THAT(logged_, ElementsAre("POST /predict 400", "GET /predict 405"));
  // What is let in is answered, or refused, by others, who log it.
  inner_->refusal = wire::HttpReply::text(403, "text/plain", "no");
  auto refused = testing::http_request("POST", "/predict", "", {{"x-vertex-ai-triton-redirect", "metrics"}});
  EXPECT_TRUE(admit(refused));
  inner_->refusal.reset();
  EXPECT_EQ(asked("v2"), "GET /v2");
  EXPECT_EQ(logged_.size(), 2U);
}

TEST_F(RedirectGateTest, OthersRequestsStayAsTheyAre) {
  auto plain = testing::http_request("POST", "/predict");
  EXPECT_FALSE(admit(plain));
  EXPECT_EQ(inner_->asked, "POST /predict");
  auto elsewhere = testing::http_request("GET", "/v2", "", {{"x-vertex-ai-triton-redirect", "metrics"}});
  EXPECT_FALSE(admit(elsewhere));
  EXPECT_EQ(inner_->asked, "GET /v2");
}

TEST_F(RedirectGateTest, TheOtherGateHasTheLastWord) {
  inner_->refusal = wire::HttpReply::text(403, "text/plain", "no");
  auto request = testing::http_request("POST", "/predict", "", {{"x-vertex-ai-triton-redirect", "metrics"}});
  EXPECT_EQ(admit(request)->status, 403);
  RedirectGate alone("/predict", nullptr, {});
  std::unique_ptr<wire::Ticket> ticket;
  auto again = testing::http_request("POST", "/predict", "", {{"x-vertex-ai-triton-redirect", "metrics"}});
  EXPECT_FALSE(alone.admit(again, ticket));
  EXPECT_EQ(again.path, "/metrics");
}

}  // namespace
}  // namespace modelmill
