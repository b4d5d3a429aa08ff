#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/log_settings_codec.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::HasSubstr;
using testing::http_request;
using testing::joined;

class LogSettingsApi : public ::testing::Test {
 protected:
  LogSettingsApi() {
    Log::configure({LogLevel::kInfo, LogFormat::kJson, 2});
    settings_ = std::make_shared<LogSettings>();
    add_log_settings_method(methods_, settings_);
  }
  ~LogSettingsApi() override { Log::configure({}); }

  wire::HttpReply http(std::string method, std::string body = "") {
    return answer_log_settings(*settings_, http_request(std::move(method), "/v2/logging", std::move(body)));
  }
  std::string text(std::string method, std::string body = "") { return joined(http(method, std::move(body)).body); }

  Status grpc(const inference::LogSettingsRequest& request, inference::LogSettingsResponse& response) {
    return testing::call_unary(thread_, methods_, method_path("LogSettings"), request, response);
  }

  testing::LoopThread thread_;
  wire::GrpcMethods methods_;
  std::shared_ptr<LogSettings> settings_;
};

constexpr char kFirst[] =
    R"({"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":0,"log_format":"default"})";

TEST_F(LogSettingsApi, OverHttp) {
  EXPECT_EQ(text("GET"), kFirst);
  EXPECT_EQ(text("POST"), kFirst);
  EXPECT_EQ(text("POST", R"({"log_info":null,"log_file":null,"log_what":7})"), kFirst);
  EXPECT_THAT(text("POST", R"({"log_info":false,"log_verbose_level":3})"),
              HasSubstr(R"("log_info":false,"log_warning":true,"log_error":true,"log_verbose_level":3)"));
  EXPECT_FALSE(Log::enabled(LogLevel::kInfo));
  EXPECT_TRUE(Log::enabled(LogLevel::kDebug));
  EXPECT_TRUE(Log::enabled(LogLevel::kWarning));
  EXPECT_THAT(text("POST", R"({"log_verbose_level":0,"log_warning":false,"log_error":false,"log_format":"ISO8601"})"),
              HasSubstr(R"("log_warning":false,"log_error":false,"log_verbose_level":0,"log_format":"ISO8601")"));
  EXPECT_FALSE(Log::enabled(LogLevel::kDebug));
  EXPECT_FALSE(Log::enabled(LogLevel::kError));
  EXPECT_EQ(Log::format(), LogFormat::kText);
  http("POST", R"({"log_format":"default"})");
  EXPECT_EQ(Log::format(), LogFormat::kJson);
}

TEST_F(LogSettingsApi, RefusalsChangeNothing) {
  EXPECT_EQ(http("PUT").status, 405);
  const wire::HttpReply file = http("POST", R"({"log_file":"/tmp/x"})");
  EXPECT_EQ(file.status, 501);
  EXPECT_THAT(joined(file.body), HasSubstr("log file location can not be updated through network protocol"));
  for (const char* body :
       {"{", "[]", R"({"log_info":1})", R"({"log_warning":"no"})", R"({"log_error":false,"log_verbose_level":-1})",
        R"({"log_verbose_level":2147483648})", R"({"log_format":1})", R"({"log_info":false,"log_format":"xml"})"})
    EXPECT_EQ(http("POST", body).status, 400) << body;
  EXPECT_THAT(text("POST", R"({"log_format":"xml"})"), HasSubstr("invalid argument for log_format, got: xml"));
  EXPECT_EQ(text("GET"), kFirst);
}

TEST_F(LogSettingsApi, OverGrpc) {
  inference::LogSettingsRequest request;
  inference::LogSettingsResponse response;
  EXPECT_TRUE(grpc(request, response).ok());
  EXPECT_TRUE(response.settings().at("log_info").bool_param());
  EXPECT_EQ(response.settings().at("log_format").string_param(), "default");
  auto& settings = *request.mutable_settings();
  settings["log_info"].set_bool_param(false);
  settings["log_verbose_level"].set_uint32_param(1);
  settings["log_format"].set_string_param("text");
  EXPECT_TRUE(grpc(request, response).ok());
  EXPECT_FALSE(response.settings().at("log_info").bool_param());
  EXPECT_EQ(response.settings().at("log_verbose_level").uint32_param(), 1u);
  EXPECT_TRUE(Log::enabled(LogLevel::kDebug));
  EXPECT_EQ(Log::format(), LogFormat::kText);
  settings["log_info"].set_string_param("true");
  EXPECT_EQ(grpc(request, response).message(), "expect boolean for 'log_info'");
  settings["log_info"].set_bool_param(true);
  settings["log_verbose_level"].set_bool_param(true);
  EXPECT_EQ(grpc(request, response).message(), "expect int32 for 'log_verbose_level'");
  settings.erase("log_verbose_level");
  settings["log_file"].set_string_param("/tmp/x");
  EXPECT_EQ(grpc(request, response).code(), Code::kUnimplemented);
  EXPECT_FALSE(Log::enabled(LogLevel::kInfo));
}

}  // namespace
}  // namespace modelmill::kserve_v2
