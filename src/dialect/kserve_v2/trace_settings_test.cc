#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "dialect/http_router.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::HasSubstr;
using testing::http_request;
using testing::joined;

class TraceSettingsApi : public ::testing::Test {
 protected:
  TraceSettingsApi() : inference_(catalog_.catalog(), nullptr, nullptr, &tracer_), service_(inference_, options()) {
    router_.add("v2", service_.http(), http_api_group);
    service_.add_to(methods_);
    catalog_.add(testing::simple_description("m"));
    catalog_.add_unready("broken", 1, "no such file");
  }
  Service::Options options() {
    Service::Options options;
    options.tracer = &tracer_;
    return options;
  }

  wire::HttpReply http(std::string method, std::string path, std::string body = "") {
    return testing::ask(thread_, router_.handler(), http_request(std::move(method), std::move(path), std::move(body)));
  }
  std::string text(std::string method, std::string path, std::string body = "") {
    return joined(http(std::move(method), std::move(path), std::move(body)).body);
  }
  Status grpc(const inference::TraceSettingRequest& request, inference::TraceSettingResponse& response) {
    return testing::call_unary(thread_, methods_, method_path("TraceSetting"), request, response);
  }

  TempFolder folder_;
  Tracer tracer_{{}, folder_ / "t.json"};
  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  Service service_;
  HttpRouter router_;
  wire::GrpcMethods methods_;
};

constexpr char kAll[] = "/v2/trace/setting";
constexpr char kModel[] = "/v2/models/m/trace/setting";

TEST_F(TraceSettingsApi, OverHttp) {
  const std::string file = tracer_.file();
  EXPECT_EQ(text("GET", kAll),
            R"({"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":")" +
                file + R"(","trace_mode":"triton"})");
  EXPECT_EQ(text("GET", kModel), text("GET", kAll));
  EXPECT_THAT(text("POST", kModel, R"({"trace_level":["TIMESTAMPS","TENSORS"],"trace_rate":"5","trace_count":"7"})"),
              HasSubstr(R"({"trace_level":["TIMESTAMPS","TENSORS"],"trace_rate":"5","trace_count":"7",)"));
  EXPECT_THAT(text("POST", kAll, R"({"log_frequency":"3","trace_what":"1"})"), HasSubstr(R"("log_frequency":"3")"));
  EXPECT_THAT(text("POST", kModel, R"({"trace_rate":null})"),
              HasSubstr(R"("trace_rate":"1000","trace_count":"7","log)"));
  EXPECT_THAT(text("GET", kModel), HasSubstr(R"("log_frequency":"3")"));
  EXPECT_THAT(text("POST", kModel, R"({"trace_level":null,"trace_count":null})"), HasSubstr(R"(["OFF"])"));
  EXPECT_EQ(text("GET", kModel), text("GET", kAll));
  EXPECT_THAT(text("GET", "/v2"), HasSubstr("\"trace\""));
}

class SpanSettingsApi : public ::testing::Test {
 protected:
  SpanSettingsApi() : inference_(catalog_.catalog(), nullptr, nullptr, &tracer_), service_(inference_, options()) {
    router_.add("v2", service_.http(), http_api_group);
    service_.add_to(methods_);
  }
  Service::Options options() {
    Service::Options options;
    options.tracer = &tracer_;
    return options;
  }
  std::string text(std::string method, std::string body = "") {
    return joined(
        testing::ask(thread_, router_.handler(), http_request(std::move(method), "/v2/trace/setting", std::move(body)))
            .body);
  }

  MetricRegistry metrics_;
  Tracer tracer_{{kTraceTimestamps, 0, -1, 0},
                 "",
                 {std::make_shared<SpanExporter>(ExportOptions(), metrics_),
                  {},
                  {{"url", "c:1"}, {"resource", "a=b"}, {"resource", "c=d"}, {"bsp_max_queue_size", "9"}}}};
  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  Service service_;
  HttpRouter router_;
  wire::GrpcMethods methods_;
};

TEST_F(SpanSettingsApi, AreTold) {
  EXPECT_EQ(text("GET"), R"({"trace_level":["TIMESTAMPS"],"trace_rate":"0","trace_count":"-1",)"
                         R"("trace_mode":"opentelemetry","url":"c:1","resource":"a=b,c=d","bsp_max_queue_size":"9"})");
  inference::TraceSettingResponse response;
  EXPECT_TRUE(
      testing::call_unary(thread_, methods_, method_path("TraceSetting"), inference::TraceSettingRequest(), response)
          .ok());
  const auto& settings = response.settings();
  EXPECT_EQ(settings.at("trace_mode").value(0), "opentelemetry");
  ASSERT_EQ(settings.at("resource").value_size(), 2);
  EXPECT_EQ(settings.at("resource").value(1), "c=d");
  EXPECT_FALSE(settings.contains("trace_file"));
  EXPECT_FALSE(settings.contains("log_frequency"));
}

TEST_F(SpanSettingsApi, RateCountAndLevelChange) {
  EXPECT_THAT(text("POST", R"({"trace_rate":"7","trace_count":"2","url":"http://elsewhere"})"),
              HasSubstr(R"("trace_rate":"7","trace_count":"2","trace_mode":"opentelemetry","url":"c:1")"));
  EXPECT_THAT(text("POST", R"({"trace_rate":"0"})"), HasSubstr(R"("trace_rate":"0")"));
  EXPECT_THAT(text("POST", R"({"trace_level":["OFF"]})"), HasSubstr(R"(["OFF"])"));
  EXPECT_THAT(text("POST", R"({"trace_file":"x"})"), HasSubstr("can not be updated through network protocol"));
}

TEST_F(TraceSettingsApi, Refusals) {
  const std::string before = text("GET", kAll);
  const wire::HttpReply file = http("POST", kAll, R"({"trace_file":"/tmp/x"})");
  EXPECT_EQ(file.status, 501);
  EXPECT_THAT(joined(file.body), HasSubstr("trace file location can not be updated through network protocol"));
  const std::pair<const char*, const char*> cases[] = {
      {R"({"trace_level":["OFF","TENSORS"]})", "Expect only one trace level 'OFF' is specified"},
      {R"({"trace_level":["ALL"]})", "Unable to parse 'trace_level', got: ALL"},
      {R"({"trace_level":"TENSORS"})", "'trace_level' is an array of strings"},
      {R"({"trace_level":[1]})", "'trace_level' is an array of strings"},
      {R"({"trace_rate":5})", "'trace_rate' is a string"},
      {R"({"trace_rate":"x"})", "Unable to parse 'trace_rate', got: x"},
      {R"({"trace_rate":"5x"})", "Unable to parse 'trace_rate', got: 5x"},
      {R"({"trace_rate":"-1"})", "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: -1"},
      {R"({"trace_count":"-2"})", "Unable to parse 'trace_count'. Expecting value >= -1, got: -2"},
      {R"({"trace_count":"99999999999999999999"})", "value is out of range [ -1, 2147483647 ]"},
      {R"({"trace_rate":"0","trace_level":["TENSORS"]})", "sample rate must be non-zero"},
      {R"(["trace_rate"])", "expected an object"}};
  for (const auto& [body, why] : cases) {
    EXPECT_EQ(http("POST", kAll, body).status, 400) << body;
    EXPECT_THAT(text("POST", kAll, body), HasSubstr(why));
  }
  EXPECT_EQ(http("PUT", kAll).status, 405);
  EXPECT_EQ(http("GET", "/v2/models/nobody/trace/setting").status, 404);
  EXPECT_EQ(text("GET", kAll), before);
}

TEST_F(TraceSettingsApi, OverGrpc) {
  inference::TraceSettingRequest request;
  inference::TraceSettingResponse response;
  EXPECT_TRUE(grpc(request, response).ok());
  EXPECT_EQ(response.settings().at("trace_level").value(0), "OFF");
  EXPECT_EQ(response.settings().at("trace_file").value(0), tracer_.file());
  request.set_model_name("m");
  auto& settings = *request.mutable_settings();
  settings["trace_level"].add_value("TIMESTAMPS");
  settings["trace_rate"].add_value("1");
  EXPECT_TRUE(grpc(request, response).ok());
  EXPECT_EQ(tracer_.settings("m"), (TraceSettings{kTraceTimestamps, 1, -1, 0}));
  EXPECT_EQ(tracer_.settings(""), TraceSettings());
  settings["trace_rate"].add_value("2");
  EXPECT_EQ(grpc(request, response).message(), "expect only 1 value for 'trace_rate'");
  settings.clear();
  settings["trace_level"].clear_value();
  settings["trace_rate"].clear_value();
  EXPECT_TRUE(grpc(request, response).ok());
  EXPECT_EQ(tracer_.settings("m"), TraceSettings());
  settings["trace_file"].add_value("/tmp/x");
  EXPECT_EQ(grpc(request, response).code(), Code::kUnimplemented);
  request.set_model_name("nobody");
  EXPECT_EQ(grpc(request, response).code(), Code::kNotFound);
}

}  // namespace
}  // namespace modelmill::kserve_v2
