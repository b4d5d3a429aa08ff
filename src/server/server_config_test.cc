#include "server/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CheckServerConfig, TheDefaultsAreGoodWithAPath) {
  ServerConfig config;
  EXPECT_THAT(check_server_config(config).message(), HasSubstr("no model is named"));
  config.paths = {"model.onnx"};
  EXPECT_TRUE(check_server_config(config).ok());
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_EQ(config.port, 8000);
}

TEST(CheckServerConfig, NamesTheSettingOutOfRange) {
  const auto message = [](auto change) {
    ServerConfig config;
    config.paths = {"m"};
    change(config);
    return check_server_config(config).message();
  };
  EXPECT_THAT(message([](ServerConfig& c) { c.port = 65'536; }), HasSubstr("--port is 65536"));
  EXPECT_THAT(message([](ServerConfig& c) { c.port = -1; }), HasSubstr("--port"));
  EXPECT_THAT(message([](ServerConfig& c) { c.host.clear(); }), HasSubstr("--host"));
  EXPECT_THAT(message([](ServerConfig& c) { c.io_threads = 257; }), HasSubstr("--io-threads"));
  EXPECT_THAT(message([](ServerConfig& c) { c.instances = -1; }), HasSubstr("--instances"));
  EXPECT_THAT(message([](ServerConfig& c) { c.load_threads = 0; }), HasSubstr("--load-threads"));
  EXPECT_THAT(message([](ServerConfig& c) { c.max_queue_requests = -1; }), HasSubstr("--max-queue-size"));
  EXPECT_THAT(message([](ServerConfig& c) { c.drain_delay = std::chrono::hours(25); }), HasSubstr("--drain-delay"));
  EXPECT_THAT(message([](ServerConfig& c) { c.drain_timeout = std::chrono::hours(25); }), HasSubstr("--drain-timeout"));
  EXPECT_THAT(message([](ServerConfig& c) { c.cloud_routes.health = "alive"; }), HasSubstr("AIP_HEALTH_ROUTE"));
  EXPECT_THAT(message([](ServerConfig& c) { c.cloud_routes.predict = "ask"; }), HasSubstr("it must begin with '/'"));
  EXPECT_EQ(message([](ServerConfig& c) { c.cloud_routes = {"/a", "/a"}; }), "") << "they go by the method";
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.connections = 0; }), HasSubstr("--max-connections is 0"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.streams_per_connection = 0; }), HasSubstr("--max-streams"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.header_bytes = 10; }), HasSubstr("--max-header-bytes"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.header_count = 1; }), HasSubstr("--max-headers"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.http_body = 0; }), HasSubstr("--max-body-bytes"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.grpc_message = size_t{1} << 31; }),
              HasSubstr("--max-message-bytes is 2147483648; it must be between 1 and 2147483647"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.inflated = SIZE_MAX; }), HasSubstr("--max-inflated-bytes"));
  EXPECT_THAT(message([](ServerConfig& c) { c.limits.unsent = SIZE_MAX; }), HasSubstr("--max-unsent-bytes"));
}

TEST(EndpointsOf, AreThoseOfListenElseHostAndPort) {
  ServerConfig config;
  config.paths = {"m"};
  config.host = "::1";
  config.port = 80;
  EXPECT_THAT(endpoints_of(config), ElementsAre(wire::Endpoint{wire::Endpoint::Scheme::kAny, "::1", 80, ""}));
  config.listen = {*wire::parse_endpoint("unix:/a"), *wire::parse_endpoint("b:0"), *wire::parse_endpoint("b:0")};
  EXPECT_EQ(endpoints_of(config), config.listen);
  EXPECT_TRUE(check_server_config(config).ok());
  config.listen.push_back(*wire::parse_endpoint("unix:/a"));
  EXPECT_THAT(check_server_config(config).message(), HasSubstr("--listen names unix:/a twice"));
}

TEST(CheckServerConfig, TlsIsWholeAndUsed) {
  ServerConfig config;
  config.paths = {"m"};
  config.tls.client_ca = "ca";
  EXPECT_THAT(check_server_config(config).message(), HasSubstr("--tls-client-ca needs a certificate"));
  config.tls.certificate = "cert";
  EXPECT_THAT(check_server_config(config).message(), HasSubstr("belong together"));
  config.tls.key = "key";
  EXPECT_TRUE(check_server_config(config).ok());
  config.listen = {*wire::parse_endpoint("unix:/a"), *wire::parse_endpoint("http://b:0")};
  EXPECT_THAT(check_server_config(config).message(), HasSubstr("no --listen speaks TLS"));
  config.listen.push_back(*wire::parse_endpoint("b:1"));
  EXPECT_TRUE(check_server_config(config).ok());
}

TEST(DefaultIoThreads, IsOneACoreAndAtMostEight) {
  EXPECT_EQ(default_io_threads(0), 1);
  EXPECT_EQ(default_io_threads(2), 2);
  EXPECT_EQ(default_io_threads(64), 8);
}

TEST(BackendDirectories, PutsThoseGivenFirstAndLeavesOutMissingUsualOnes) {
  const fs::path root = fs::path(::testing::TempDir()) / "backend_directories";
  fs::create_directories(root / "bin");
  fs::create_directories(root / "lib" / "modelmill");
  ServerConfig config;
  config.backend_directories = {"/given/by/user"};
  EXPECT_THAT(backend_directories(config, (root / "bin").string()),
              ElementsAre("/given/by/user", (root / "bin").string(), (root / "lib" / "modelmill").string()));
  fs::remove_all(root);
}

TEST(AddBackendSetting, ReadsTritonsForm) {
  std::map<std::string, std::map<std::string, std::string>> settings;
  ASSERT_TRUE(add_backend_setting("onnxruntime,threads=2", settings).ok());
  ASSERT_TRUE(add_backend_setting("onnxruntime,path=/a,b=c", settings).ok());
  ASSERT_TRUE(add_backend_setting("x,empty=", settings).ok());
  EXPECT_EQ(settings["onnxruntime"]["threads"], "2");
  EXPECT_EQ(settings["onnxruntime"]["path"], "/a,b=c");
  EXPECT_EQ(settings["x"]["empty"], "");
  for (const char* bad : {"", "onnxruntime", "onnxruntime,threads", ",a=b", "x,=b", "a=b"}) {
    EXPECT_THAT(add_backend_setting(bad, settings).message(), HasSubstr("expected BACKEND,SETTING=VALUE")) << bad;
  }
}

}  // namespace
}  // namespace modelmill
