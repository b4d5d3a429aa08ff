#include "dialect/mlserver/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialect/mlserver/rest_paths.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::mlserver {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MlserverRoutes, AreThoseOfItsOwnPaths) {
  const std::pair<const char*, const char*> cases[] = {
      {"/v2", "/v2"},
      {"/v2/models/m", "/v2/models/{model_name}"},
      {"/v2/models/m%20n/infer", "/v2/models/{model_name}/infer"},
      {"/v2/models/m/versions/3/infer", "/v2/models/{model_name}/versions/{model_version}/infer"},
      {"/v2/models/m/versions/3", "/v2/models/{model_name}/versions/{model_version}"},
      {"/v2/models/m/ready", "/v2/models/{model_name}/ready"},
      {"/v2/docs", "/v2/docs"},
      {"/v2/docs/dataplane.json", "/v2/docs/dataplane.json"},
      {"/v2/models/m/docs", "/v2/models/{model_name}/docs"},
      {"/v2/models/m/versions/3/docs/dataplane.json",
       "/v2/models/{model_name}/versions/{model_version}/docs/dataplane.json"},
      {"/v2/models/m/docs/other", ""},
      {"/v2/repository/index", "/v2/repository/index"},
      {"/v2/repository/models/m/load", "/v2/repository/models/{model_name}/load"},
      {"/v2/health/live", ""},
      {"/v2/models", ""},
      {"/v2/models/m/config", ""},
      {"/v2/models/m/infer/more", ""},
      {"/v2/%zz", ""},
      {"/v1/models/m", ""},
      {"/", ""}};
  for (const auto& [path, route] : cases) EXPECT_EQ(route_of(path), route) << path;
}

class MlserverMetrics : public ::testing::Test {
 protected:
  std::string page() { return metrics_.render(catalog_.catalog()); }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  ServerMetrics metrics_{"rest_server"};
};

TEST_F(MlserverMetrics, RequestsOverHttp) {
  std::string during;
  const auto handler = metrics_.counted([&](const std::shared_ptr<wire::HttpExchange>& exchange) {
    during = page();
    exchange->reply(wire::HttpReply::text(exchange->request().path == "/v2/models/x" ? 404 : 200, "text/plain", ""));
  });
  const auto ask = [&](const char* method, const char* path) {
    return testing::ask(thread_, handler, testing::http_request(method, path, "")).status;
  };
  EXPECT_EQ(ask("POST", "/v2/models/m/infer"), 200);
  EXPECT_EQ(ask("POST", "/v2/models/n/infer"), 200);
  EXPECT_EQ(ask("GET", "/v2/models/x"), 404);
  EXPECT_THAT(during, HasSubstr(R"(rest_server_requests_in_progress{method="GET",app_name="mlserver"} 1)"));
  EXPECT_EQ(ask("GET", "/v2/health/ready"), 200);
  EXPECT_EQ(ask("MADEUP", "/v2"), 200);
  const std::string after = page();
  EXPECT_THAT(after, HasSubstr(R"(rest_server_requests_in_progress{method="GET",app_name="mlserver"} 0)"));
  const std::string inferred =
      R"({method="POST",path="/v2/models/{model_name}/infer",status_code="200",app_name="mlserver"} 2)";
  EXPECT_THAT(after, HasSubstr("rest_server_requests_total" + inferred));
  EXPECT_THAT(after, HasSubstr("rest_server_request_duration_seconds_count" + inferred));
  EXPECT_THAT(after, HasSubstr(R"(path="/v2/models/{model_name}",status_code="404")"));
  EXPECT_THAT(after, Not(HasSubstr("health")));
  EXPECT_THAT(after, Not(HasSubstr("MADEUP")));
}

TEST_F(MlserverMetrics, AClientThatWentIsNotInProgress) {
  const auto handler = metrics_.counted([](const std::shared_ptr<wire::HttpExchange>&) {});
  thread_.run([&] {
    handler(std::make_shared<testing::FakeExchange>(thread_.loop(), testing::http_request("GET", "/v2", "")));
  });
  EXPECT_THAT(page(), HasSubstr(R"(rest_server_requests_in_progress{method="GET",app_name="mlserver"} 0)"));
  EXPECT_THAT(page(), Not(HasSubstr("rest_server_requests_total")));
}

TEST_F(MlserverMetrics, CallsOfGrpc) {
  metrics_.ended({"/inference.GRPCInferenceService/ModelInfer", Code::kOk, 20'000, "", "", "", false});
  metrics_.ended({"/inference.GRPCInferenceService/ModelInfer", Code::kNotFound, 1, "", "", "", false});
  metrics_.ended({"/inference.GRPCInferenceService/ModelStreamInfer", Code::kOk, 1, "", "", "", false});
  metrics_.ended({"/inference.GRPCInferenceService/MadeUp", Code::kUnimplemented, 1, "", "", "", false});
  metrics_.ended({"/grpc.health.v1.Health/Check", Code::kOk, 1, "", "", "", false});
  const std::string text = page();
  const std::string infer =
      R"({grpc_type="UNARY",grpc_service="inference.GRPCInferenceService",grpc_method="ModelInfer")";
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total" + infer + R"(,code="OK"} 1)"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handled_total" + infer + R"(,code="NOT_FOUND"} 1)"));
  EXPECT_THAT(text, HasSubstr("grpc_server_handling_seconds_count" + infer + "} 2"));
  EXPECT_THAT(text, HasSubstr(R"(grpc_type="BIDI_STREAMING")"));
  EXPECT_THAT(text, Not(HasSubstr("MadeUp")));
  EXPECT_THAT(text, Not(HasSubstr("Health")));
}

TEST_F(MlserverMetrics, InferencesOfAModel) {
  catalog_.add(testing::simple_description("m"));
  RequestTimes times;
  times.received = TimePoint{} + std::chrono::seconds(1);
  times.queued = times.compute_start = times.received;
  times.compute_end = times.received + std::chrono::milliseconds(500);
  (*catalog_.catalog().pin("m", 0))->stats().request_succeeded(times, 1);
  (*catalog_.catalog().pin("m", 0))->stats().request_succeeded(times, 1);
  (*catalog_.catalog().pin("m", 0))->stats().request_failed(times, FailureReason::kBackend);
  const std::string text = page();
  EXPECT_THAT(text, HasSubstr(R"(model_infer_request_success_total{model="m",version="1"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(model_infer_request_failure_total{model="m",version="1"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(model_infer_request_duration_count{model="m",version="1"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(model_infer_request_duration_sum{model="m",version="1"} 1.5)"));
}

}  // namespace
}  // namespace modelmill::mlserver
