#include "server/announcement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/access/access_config.h"

namespace modelmill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

wire::Endpoint at(const std::string& host, uint16_t port) { return {wire::Endpoint::Scheme::kHttp, host, port, ""}; }

class IdleVersion final : public ModelVersion {
 public:
  using ModelVersion::ModelVersion;
  void submit(InferRequestPtr request) override { request->fail(internal("not asked")); }
  Explanation explain() const override { return explanation; }

  Explanation explanation;
};

std::shared_ptr<ModelVersion> version_of(MetricRegistry& registry, const std::string& unbatched_reason,
                                         int64_t max_rows = 1, int instances = 1) {
  ModelVersion::Description description;
  description.definition.name = "ocr";
  description.definition.backend = "onnxruntime";
  description.definition.unbatched_reason = unbatched_reason;
  description.version = 3;
  description.signature.inputs = {{"image", DataType::kFp32, {-1, 3, 48, -1}, {}, false},
                                  {"n", DataType::kInt64, {1}, {}, true}};
  description.signature.outputs = {{"text", DataType::kBytes, {-1}, {}, false}};
  auto version = std::make_shared<IdleVersion>(description, std::make_shared<VersionStats>(registry, "ocr", 3));
  version->explanation.max_rows = max_rows;
  version->explanation.instances = instances;
  return version;
}

ModelTable table_of(std::shared_ptr<ModelVersion> version, std::vector<VersionStatus> statuses) {
  auto entry = std::make_shared<ModelEntry>();
  entry->name = "ocr";
  if (version) entry->versions = {std::move(version)};
  entry->statuses = std::move(statuses);
  ModelTable table;
  table.put(entry);
  return table;
}

TEST(Announcement, TellsWhatIsServedAndHow) {
  MetricRegistry registry;
  const ModelTable table = table_of(version_of(registry, "", 64, 2), {{3, VersionState::kReady, ""}});
  const std::string text = announcement({at("127.0.0.1", 8001)}, table);
  EXPECT_THAT(text, HasSubstr("serves 1 model at http://127.0.0.1:8001\n"));
  EXPECT_THAT(text, HasSubstr("\n  ocr  version 3  (onnxruntime)\n"));
  EXPECT_THAT(text, HasSubstr("    inputs     image  FP32   [-1,3,48,-1]\n"
                              "               n      INT64  [1]  optional\n"
                              "    outputs    text   BYTES  [-1]\n"
                              "    batching   up to 64 rows\n"
                              "    instances  2\n"));
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:8001/predict/ocr"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Announcement, SaysWhichEndpointIsForWhat) {
  MetricRegistry registry;
  const ModelTable table = table_of(version_of(registry, "", 64, 2), {{3, VersionState::kReady, ""}});
  std::vector<wire::Endpoint> endpoints = {at("127.0.0.1", 8001), at("127.0.0.1", 8000), at("127.0.0.1", 8002)};
  endpoints[0].serves = {.http = false, .grpc = true, .metrics = false};
  endpoints[1].serves = {.http = true, .grpc = false, .metrics = false};
  endpoints[2].serves = {.http = false, .grpc = false, .metrics = true};
  const std::string text = announcement(endpoints, table);
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:8001 for gRPC, http://127.0.0.1:8000 for HTTP and "
                              "http://127.0.0.1:8002 for metrics\n"));
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:8000/predict/ocr"));
  EXPECT_THAT(text, HasSubstr("KServe V2 over HTTP at 127.0.0.1:8000, over gRPC at 127.0.0.1:8001, metrics at "
                              "http://127.0.0.1:8002/metrics. Ctrl-C stops it."));
}

TEST(Announcement, SaysWhyAModelIsNotBatched) {
  MetricRegistry registry;
  const ModelTable table = table_of(version_of(registry, "output 'text' does not share it"), {});
  EXPECT_THAT(announcement({at("h", 1)}, table), HasSubstr("batching   off: output 'text' does not share it\n"));
}

TEST(Announcement, SaysWhatCouldNotBeLoaded) {
  const ModelTable table = table_of(nullptr, {{1, VersionState::kUnavailable, "the file is damaged"}});
  const std::string text = announcement({at("127.0.0.1", 8000)}, table);
  EXPECT_THAT(text, HasSubstr("serves 0 models"));
  EXPECT_THAT(text, HasSubstr("  ocr  version 1  NOT SERVED\n    the file is damaged\n"));
}

TEST(Announcement, NamesEveryEndpointAndAWayToAskTheFirst) {
  MetricRegistry registry;
  const ModelTable table = table_of(version_of(registry, ""), {});
  wire::Endpoint unix_socket;
  unix_socket.path = "/run/m.sock";
  wire::Endpoint tls = at("0.0.0.0", 443);
  tls.scheme = wire::Endpoint::Scheme::kHttps;
  EXPECT_THAT(announcement({tls, at("::1", 80), unix_socket}, table),
              AllOf(HasSubstr(" at https://127.0.0.1:443 (on every address of this machine), http://[::1]:80 and "
                              "unix:/run/m.sock\n"),
                    HasSubstr("curl -k https://127.0.0.1:443/predict/ocr"),
                    HasSubstr("metrics at https://127.0.0.1:443/metrics")));
  EXPECT_THAT(announcement({unix_socket}, table),
              HasSubstr("curl --unix-socket '/run/m.sock' http://localhost/predict/ocr"));
}

TEST(Announcement, ShowsWhatCurlMustBring) {
  MetricRegistry registry;
  const ModelTable table = table_of(version_of(registry, ""), {});
  const wire::Endpoint plain = at("h", 80);
  wire::Endpoint tls = plain;
  tls.scheme = wire::Endpoint::Scheme::kHttps;
  const std::optional<std::string> token = curl_options({AccessRule::Kind::kToken, "", ""});
  const std::optional<std::string> header = curl_options({AccessRule::Kind::kHeader, "x-key", "secret"});
  EXPECT_THAT(announcement({plain}, table, {curl_options({}), true}), HasSubstr("curl http://h:80/predict"));
  EXPECT_THAT(announcement({plain}, table, {token, true}),
              HasSubstr("curl -H 'authorization: Bearer TOKEN' http://h:80/predict"));
  EXPECT_THAT(announcement({tls}, table, {header, true}),
              HasSubstr("curl -H 'x-key: VALUE' --cert CLIENT.pem --key CLIENT-KEY.pem -k https://h:80/predict"));
  EXPECT_THAT(announcement({plain}, table, {curl_options({AccessRule::Kind::kOff, "", ""}), false}),
              Not(HasSubstr("curl")));
}

TEST(ClientUrl, IsOneThatWorksOnThisMachine) {
  EXPECT_EQ(client_url(at("0.0.0.0", 80)), "http://127.0.0.1:80");
  EXPECT_EQ(client_url(at("::", 80)), "http://[::1]:80");
  EXPECT_EQ(client_url(at("::1", 80)), "http://[::1]:80");
  EXPECT_EQ(client_url(at("box", 80)), "http://box:80");
}

}  // namespace
}  // namespace modelmill
