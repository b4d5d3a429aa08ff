#include "server/access/torch_key_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "dialect/testing/fakes.h"

namespace modelmill {
namespace {

using torchserve::Keys;
using wire::ApiGroup;

class Call final : public wire::GrpcCallHead {
 public:
  Call(std::string_view method, ApiGroup of, std::string authorization) : authorization_(std::move(authorization)) {
    path = method;
    group = of;
  }
  std::string_view header(std::string_view name) const override {
    return name == "authorization" ? std::string_view(authorization_) : std::string_view();
  }

 private:
  const std::string authorization_;
};

class TorchKeyGateTest : public ::testing::Test {
 protected:
  TorchKeyGateTest() {
    file_ = ::testing::TempDir() + "gate_keys_" + std::to_string(::getpid()) + ".json";
    keys_ = *Keys::make(file_, std::chrono::minutes(1), time_);
    std::ifstream in(file_);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const char* name : {"management", "inference", "API"}) {
      std::smatch found;
      const std::regex form("\"" + std::string(name) + "\": \\{\\s+\"key\": \"([^\"]+)\"");
      EXPECT_TRUE(std::regex_search(text, found, form));
      key_[name] = found[1];
    }
    const auto add = [this](const char* segment, ApiGroup group) {
      router_.add(
          segment, [](const std::shared_ptr<wire::HttpExchange>&) {}, group);
    };
    add("ping", ApiGroup::kHealth);
    add("predictions", ApiGroup::kInference);
    add("models", ApiGroup::kMetadata);
    add("api-description", ApiGroup::kMetadata);
    add("token", ApiGroup::kManagement);
    add("torchserve", ApiGroup::kHealth);
    add("v2", ApiGroup::kInference);
    add("load", ApiGroup::kManagement);
    add("health", ApiGroup::kHealth);
    add("metrics", ApiGroup::kMetrics);
    add("info", ApiGroup::kMetadata);
    router_.add_last([](const wire::HttpRequest& request) { return request.path.starts_with("/m/"); },
                     [](const std::shared_ptr<wire::HttpExchange>&) {},
                     [](const wire::HttpRequest&) { return ApiGroup::kInference; });
    gate_ = std::make_unique<TorchKeyGate>(keys_, nullptr, router_, nullptr, metrics_);
  }

  /// The status that the request is answered with; 0: it is let in.
  int ask(const std::string& path, const std::string& authorization) {
    wire::HttpRequest request = testing::http_request("GET", path, "", {{"authorization", authorization}});
    std::unique_ptr<wire::Ticket> ticket;
    const auto reply = gate_->admit(request, ticket);
    if (!reply) return 0;
    said_ = testing::joined(reply->body);
    return reply->status;
  }

  ManualTime time_;
  std::string file_;
  std::shared_ptr<Keys> keys_;
  std::map<std::string, std::string> key_;
  HttpRouter router_;
  MetricRegistry metrics_;
  std::unique_ptr<TorchKeyGate> gate_;
  std::string said_;
};

TEST_F(TorchKeyGateTest, AsksForTheKeyOfAGroup) {
  struct Case {
    const char* path;
    bool by_none, by_inference, by_management;
    int status;
  };
  for (const Case& c : {
           Case{"/ping", false, true, false, 400},
           Case{"/torchserve/ping", false, true, false, 400},
           Case{"/predictions/m", false, true, false, 400},
           Case{"/torchserve/predictions/m", false, true, false, 400},
           Case{"/models", false, false, true, 400},
           Case{"/models/m", false, false, true, 400},
           Case{"/api-description", true, true, true, 0},
           Case{"/token", true, true, true, 0},
           Case{"/torchserve/token", true, true, true, 0},
           Case{"/m/predict", false, true, false, 400},
           Case{"/m/1.0/predict", false, true, false, 400},
           Case{"/m/other", false, true, false, 401},
           Case{"/v2/models/m/infer", false, true, false, 401},
           Case{"/v2/models/predict", false, true, false, 401},
           Case{"/load", false, false, true, 401},
           Case{"/info", false, true, true, 401},
           Case{"/health", true, true, true, 0},
           Case{"/metrics", true, true, true, 0},
           Case{"/no/such/path", true, true, true, 0},
       }) {
    EXPECT_EQ(ask(c.path, ""), c.by_none ? 0 : c.status) << c.path;
    EXPECT_EQ(ask(c.path, "Bearer wrong"), c.by_none ? 0 : c.status) << c.path;
    EXPECT_EQ(ask(c.path, "Bearer " + key_["API"]), c.by_none ? 0 : c.status) << c.path;
    EXPECT_EQ(ask(c.path, "Bearer " + key_["inference"]), c.by_inference ? 0 : c.status) << c.path;
    EXPECT_EQ(ask(c.path, "Bearer " + key_["management"]), c.by_management ? 0 : c.status) << c.path;
  }
}

TEST_F(TorchKeyGateTest, RefusesInTorchServesWords) {
  EXPECT_EQ(ask("/predictions/m", "Bearer x"), 400);
  EXPECT_EQ(said_,
            "{\n  \"code\": 400,\n  \"type\": \"InvalidKeyException\",\n  \"message\": \"Token Authorization failed. "
            "Token either incorrect, expired, or not provided correctly\"\n}\n");
  EXPECT_THAT(metrics_.render(), ::testing::HasSubstr(R"(group="inference",reason="bad token"} 1)"));
}

TEST_F(TorchKeyGateTest, AKeyThatExpiredIsNone) {
  EXPECT_EQ(ask("/models", "Bearer " + key_["management"]), 0);
  time_.advance(std::chrono::minutes(1));
  EXPECT_EQ(ask("/models", "Bearer " + key_["management"]), 400);
}

TEST_F(TorchKeyGateTest, AsksGrpcCallsToo) {
  struct Case {
    const char* method;
    ApiGroup group;
    bool by_inference, by_management;
    Code code;
  };
  const char* const kReady = "/inference.GRPCInferenceService/ServerReady";
  for (const Case& c : {
           Case{"/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping", ApiGroup::kHealth, true, false,
                Code::kPermissionDenied},
           Case{"/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions", ApiGroup::kInference, true, false,
                Code::kPermissionDenied},
           Case{"/org.pytorch.serve.grpc.management.ManagementAPIsService/ListModels", ApiGroup::kMetadata, false, true,
                Code::kPermissionDenied},
           Case{"/inference.GRPCInferenceService/ModelInfer", ApiGroup::kInference, true, false,
                Code::kUnauthenticated},
           Case{"/inference.GRPCInferenceService/RepositoryModelLoad", ApiGroup::kManagement, false, true,
                Code::kUnauthenticated},
           Case{kReady, ApiGroup::kHealth, true, true, Code::kOk},
       }) {
    const auto code = [&](const std::string& authorization) {
      std::unique_ptr<wire::Ticket> ticket;
      wire::GrpcMetadata trailers;
      return gate_->admit(Call(c.method, c.group, authorization), ticket, trailers).code();
    };
    EXPECT_EQ(code(""), c.code) << c.method;
    EXPECT_EQ(code("Bearer " + key_["inference"]), c.by_inference ? Code::kOk : c.code) << c.method;
    EXPECT_EQ(code("Bearer " + key_["management"]), c.by_management ? Code::kOk : c.code) << c.method;
  }
}

}  // namespace
}  // namespace modelmill
