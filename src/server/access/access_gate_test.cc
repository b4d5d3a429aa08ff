#include "server/access/access_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using wire::ApiGroup;

using Headers = std::vector<std::pair<std::string, std::string>>;

class Call final : public wire::GrpcCallHead {
 public:
  Call(ApiGroup of, Headers metadata) : metadata_(std::move(metadata)) {
    path = "/t.T/Call";
    group = of;
    peer = "10.1.1.1:5";
  }
  std::string_view header(std::string_view name) const override {
    for (const auto& [key, value] : metadata_)
      if (key == name) return value;
    return {};
  }

 private:
  Headers metadata_;
};

/// A gate before /m (management), /i (inference) and /h (health).
class AccessGateTest : public ::testing::Test {
 protected:
  AccessGateTest() {
    const auto unasked = [](const std::shared_ptr<wire::HttpExchange>&) { FAIL() << "a gate calls no handler"; };
    router_.add("m", unasked, ApiGroup::kManagement);
    router_.add("i", unasked, ApiGroup::kInference);
    router_.add("h", unasked, ApiGroup::kHealth);
  }
  void rule(const std::string& text) { ASSERT_TRUE(add_api_rule(text, config_).ok()) << text; }
  void tokens(const std::string& text) {
    const std::string file = ::testing::TempDir() + "access_gate_tokens";
    std::ofstream(file) << text;
    auto store = TokenStore::open(file);
    ASSERT_TRUE(store.ok());
    options_.tokens = *store;
    std::filesystem::remove(file);
  }
  AccessGate& gate() {
    if (!gate_) {
      options_.rules = access_rules(config_, false);
      gate_ = std::make_unique<AccessGate>(
          options_, router_, [this](const AccessRecord& record) { logged_.push_back(record.status); }, metrics_, time_);
    }
    return *gate_;
  }

  /// The reply, status 0 when it is let in.
  wire::HttpReply http(std::string method, std::string path, Headers headers = {}) {
    request_ = {};
    request_.method = std::move(method);
    request_.path = std::move(path);
    request_.headers = std::move(headers);
    request_.peer = "10.1.1.1:5";
    request_.serves = serves_;
    ticket_.reset();
    wire::HttpReply let_in;
    let_in.status = 0;
    return gate().admit(request_, ticket_).value_or(std::move(let_in));
  }
  int status(std::string path, Headers headers = {}) {
    return http("POST", std::move(path), std::move(headers)).status;
  }
  Code grpc(ApiGroup group, Headers headers = {}) {
    trailers_.clear();
    Call call(group, std::move(headers));
    call.serves = serves_;
    return gate().admit(call, ticket_, trailers_).code();
  }
  static std::string header(const wire::HttpReply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers)
      if (key == name) return value;
    return {};
  }
  std::string marked(std::string_view name) const {
    for (const auto& [key, value] : request_.reply_headers)
      if (key == name) return value;
    return {};
  }
  static std::string body(const wire::HttpReply& reply) {
    std::string text;
    for (const Bytes& bytes : reply.body) text += bytes.view();
    return text;
  }

  ManualTime time_;
  MetricRegistry metrics_;
  HttpRouter router_;
  AccessConfig config_;
  AccessGate::Options options_;
  std::vector<int> logged_;
  wire::HttpRequest request_;
  wire::Services serves_;
  std::unique_ptr<wire::Ticket> ticket_;
  wire::GrpcMetadata trailers_;
  std::unique_ptr<AccessGate> gate_;
};

TEST_F(AccessGateTest, OffSaysWhichFlag) {
  rule("management=off");
  const wire::HttpReply reply = http("POST", "/m");
  EXPECT_EQ(reply.status, 403);
  EXPECT_THAT(body(reply), HasSubstr("(--api management=off)"));
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kPermissionDenied);
  EXPECT_EQ(status("/i"), 0);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kOk);
  EXPECT_THAT(metrics_.render(), HasSubstr(R"(modelmill_access_refused_total{group="management",reason="off"} 2)"));
  EXPECT_EQ(logged_, std::vector<int>{403});
}

TEST_F(AccessGateTest, TokensOpenTheirGroups) {
  rule("management=token");
  rule("inference=token");
  tokens("anna anna-token\nbot bot-token inference\n");
  const wire::HttpReply without = http("POST", "/m");
  EXPECT_EQ(without.status, 401);
  EXPECT_EQ(header(without, "WWW-Authenticate"), R"(Bearer realm="modelmill")");
  const wire::HttpReply unknown = http("POST", "/m", {{"authorization", "Bearer bot-toke"}});
  EXPECT_EQ(unknown.status, 401);
  EXPECT_THAT(header(unknown, "WWW-Authenticate"), HasSubstr("invalid_token"));
  const wire::HttpReply other = http("POST", "/m", {{"authorization", "Bearer bot-token"}});
  EXPECT_EQ(other.status, 403);
  EXPECT_THAT(body(other), HasSubstr("the token of 'bot' is not for calls of the group management"));
  EXPECT_EQ(status("/m", {{"authorization", "Bearer anna-token"}}), 0);
  EXPECT_EQ(status("/i", {{"authorization", "Bearer bot-token"}}), 0);
  EXPECT_EQ(status("/h"), 0);
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kUnauthenticated);
  EXPECT_EQ(grpc(ApiGroup::kManagement, {{"authorization", "Bearer wrong"}}), Code::kUnauthenticated);
  EXPECT_EQ(grpc(ApiGroup::kManagement, {{"authorization", "Bearer bot-token"}}), Code::kPermissionDenied);
  EXPECT_EQ(grpc(ApiGroup::kManagement, {{"authorization", "Bearer anna-token"}}), Code::kOk);
  const std::string page = metrics_.render();
  for (const char* reason : {"no token", "bad token", "other groups"})
    EXPECT_THAT(page, HasSubstr("{group=\"management\",reason=\"" + std::string(reason) + "\"} 2")) << page;
}

TEST_F(AccessGateTest, AHeaderOpensAGroup) {
  rule("inference=header:X-Key=s3cret");
  EXPECT_THAT(body(http("POST", "/i")), HasSubstr("need the header 'x-key'"));
  for (const char* wrong : {"", "s3cre", "s3crets", "S3CRET"})
    EXPECT_EQ(status("/i", {{"x-key", wrong}}), 403) << wrong;
  EXPECT_EQ(status("/i", {{"x-key", "s3cret"}}), 0);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kPermissionDenied);
  EXPECT_EQ(grpc(ApiGroup::kInference, {{"x-key", "s3cret"}}), Code::kOk);
  EXPECT_EQ(grpc(ApiGroup::kInference, {{"triton-grpc-protocol-x-key", "s3cret"}}), Code::kOk);
}

TEST_F(AccessGateTest, APathOfNobodyIsAnsweredBeforeItsBody) {
  rule("metrics=off");
  const wire::HttpReply reply = http("POST", "/nobody/here");
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(body(reply), HasSubstr("no such path: '/nobody/here'"));
}

TEST_F(AccessGateTest, TheRateIsOfEachClientAndOfInference) {
  options_.limits.rate = 0.4;
  tokens("anna one\nanna two\n10.1.1.1 three\n");
  EXPECT_EQ(status("/i"), 0);
  const wire::HttpReply refused = http("POST", "/i");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header(refused, "Retry-After"), "3");
  EXPECT_THAT(body(refused), HasSubstr("--client-rate"));
  EXPECT_EQ(status("/h"), 0);  // another group
  EXPECT_EQ(status("/i", {{"authorization", "Bearer one"}}), 0);
  EXPECT_EQ(status("/i", {{"authorization", "Bearer two"}}), 429);      // the same anna
  EXPECT_EQ(status("/i", {{"authorization", "Bearer three"}}), 0);      // is not the address, but has its name
  EXPECT_EQ(status("/i", {{"authorization", "Bearer unknown"}}), 429);  // the address
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kResourceExhausted);
  EXPECT_EQ(trailers_, (wire::GrpcMetadata{{"grpc-retry-pushback-ms", "2500"}}));
  time_.advance(2500ms);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kOk);
  EXPECT_TRUE(trailers_.empty());
}

TEST_F(AccessGateTest, InFlightIsCountedByTheTicket) {
  options_.limits.in_flight = 1;
  EXPECT_EQ(status("/i"), 0);
  ASSERT_NE(ticket_, nullptr);
  const auto held = std::move(ticket_);
  const wire::HttpReply refused = http("POST", "/i");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kResourceExhausted);
  EXPECT_THAT(metrics_.render(), HasSubstr(R"({group="inference",reason="in flight"} 2)"));
}

TEST_F(AccessGateTest, CorsAnswersPreflightsWithoutAToken) {
  rule("inference=token");
  tokens("t\n");
  options_.cors_origins = {"https://a.example", "https://b.example"};
  const wire::HttpReply preflight = http("OPTIONS", "/i",
                                         {{"origin", "https://b.example"},
                                          {"access-control-request-method", "POST"},
                                          {"access-control-request-headers", "authorization,content-type"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(header(preflight, "Access-Control-Allow-Methods"), "GET, POST");
  EXPECT_EQ(header(preflight, "Access-Control-Allow-Headers"), "authorization,content-type");
  EXPECT_EQ(header(preflight, "Access-Control-Max-Age"), "7200");
  EXPECT_EQ(marked("Access-Control-Allow-Origin"), "https://b.example");
  EXPECT_EQ(marked("Vary"), "Origin");

  EXPECT_EQ(status("/i", {{"origin", "https://b.example"}}), 401);  // which the page may read
  EXPECT_EQ(marked("Access-Control-Allow-Origin"), "https://b.example");
  EXPECT_THAT(marked("Access-Control-Expose-Headers"), HasSubstr("Inference-Header-Content-Length"));

  const wire::HttpReply foreign =
      http("OPTIONS", "/i", {{"origin", "https://c.example"}, {"access-control-request-method", "POST"}});
  EXPECT_EQ(foreign.status, 403);
  EXPECT_EQ(marked("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(status("/h", {{"origin", "https://c.example"}}), 0);  // the browser keeps the answer from the page
  EXPECT_EQ(marked("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(marked("Vary"), "Origin");
  EXPECT_THAT(metrics_.render(), HasSubstr(R"({group="inference",reason="origin"} 1)"));
}

TEST_F(AccessGateTest, CorsForEveryPage) {
  options_.cors_origins = {"*"};
  EXPECT_EQ(status("/h", {{"origin", "https://c.example"}}), 0);
  EXPECT_EQ(marked("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(marked("Vary"), "");
  const wire::HttpReply odd =
      http("OPTIONS", "/h",
           {{"origin", "null"}, {"access-control-request-method", "POST"}, {"access-control-request-headers", "a\"b"}});
  EXPECT_EQ(odd.status, 204);
  EXPECT_EQ(header(odd, "Access-Control-Allow-Headers"), "");
}

TEST_F(AccessGateTest, WithoutCorsAPreflightIsARequestLikeOthers) {
  rule("health=off");
  EXPECT_EQ(http("OPTIONS", "/h", {{"origin", "https://a.example"}, {"access-control-request-method", "GET"}}).status,
            403);
  EXPECT_EQ(http("OPTIONS", "/i", {{"origin", "https://a.example"}, {"access-control-request-method", "GET"}}).status,
            0);
  EXPECT_TRUE(request_.reply_headers.empty());
}

TEST_F(AccessGateTest, AnEndpointServesWhatItIsFor) {
  EXPECT_EQ(status("/i"), 0);
  serves_ = {.http = false, .grpc = true, .metrics = false};
  EXPECT_EQ(status("/i"), 404);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kOk);
  serves_ = {.http = true, .grpc = false, .metrics = false};
  EXPECT_EQ(status("/i"), 0);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kUnimplemented);
  EXPECT_EQ(grpc(ApiGroup::kHealth), Code::kUnimplemented);
}

TEST_F(AccessGateTest, AnEndpointMayServeOneGroupOfAProtocol) {
  serves_ = {.http = true, .grpc = true, .metrics = false, .management = false};
  EXPECT_EQ(status("/i"), 0);
  EXPECT_EQ(status("/h"), 0);
  EXPECT_EQ(status("/m"), 404);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kOk);
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kUnimplemented);
  serves_ = {.http = true, .grpc = true, .metrics = false, .inference = false};
  EXPECT_EQ(status("/i"), 404);
  EXPECT_EQ(status("/m"), 0);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kUnimplemented);
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kOk);
}

TEST_F(AccessGateTest, ManagementMayBeThatOfSomePathsAlone) {
  options_.management_prefixes = {"/m/x"};
  EXPECT_EQ(status("/m"), 403);
  EXPECT_EQ(status("/m/x/y"), 0);
  EXPECT_EQ(status("/i"), 0);
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kPermissionDenied);
}

TEST_F(AccessGateTest, ARestrictionIsOfOneProtocolAndOneKind) {
  options_.restrictions = {{ApiKind::kInference, false, "key", "secret"}};
  EXPECT_EQ(status("/i"), 403);
  EXPECT_EQ(status("/i", {{"key", "other"}}), 403);
  EXPECT_EQ(status("/i", {{"key", "secret"}}), 0);
  EXPECT_EQ(status("/h"), 0);
  EXPECT_EQ(grpc(ApiGroup::kInference), Code::kOk);
}

TEST_F(AccessGateTest, ARestrictedCallOverGrpcIsUnavailable) {
  options_.restrictions = {{ApiKind::kModelRepository, true, "triton-grpc-protocol-key", "secret"}};
  EXPECT_EQ(grpc(ApiGroup::kManagement), Code::kUnavailable);
  EXPECT_EQ(grpc(ApiGroup::kManagement, {{"triton-grpc-protocol-key", "secret"}}), Code::kOk);
  EXPECT_EQ(status("/m"), 0);
}

}  // namespace
}  // namespace modelmill
