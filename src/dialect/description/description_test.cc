#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "dialect/description/operations.h"
#include "dialect/description/protos.h"
#include "dialect/description/service.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"
#include "tf_serving_api.pb.h"

namespace modelmill::description {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;
using ::testing::Not;

class Description : public ::testing::Test {
 protected:
  Description() {
    methods_.describe(inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService"));
    methods_.describe(
        tensorflow::serving::PredictRequest::descriptor()->file()->FindServiceByName("PredictionService"));
    catalog_.add(testing::simple_description("m"));
  }

  void start(Options options = {"1.2.3", {}, {}}) { add_to(router_, catalog_.catalog(), methods_, std::move(options)); }
  wire::HttpReply ask(std::string method, std::string path,
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        http_request(std::move(method), std::move(path), "", std::move(headers)));
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  wire::GrpcMethods methods_;
  HttpRouter router_;
};

TEST_F(Description, TheFrontPageIsTextAndForBrowsersHtml) {
  start();
  const auto text = ask("GET", "/");
  EXPECT_THAT(joined(text.body), HasSubstr("in:  x FP32[-1,4]"));
  EXPECT_EQ(header_of(text, "Vary"), "Accept");
  const auto page = ask("GET", "/", {{"accept", "text/html,application/xhtml+xml,*/*;q=0.8"}});
  const std::string html = joined(page.body);
  EXPECT_LT(html.size(), 30'000U);
  EXPECT_THAT(html, HasSubstr("makeRequest"));
  for (const char* outside : {"/*STYLE*/", "/*SCRIPT*/", "http:", "https:", "src=", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
  const std::string policy = header_of(page, "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src 'sha256-"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(ask("POST", "/").status, 405);
}

TEST_F(Description, AnotherServersRootTakesItsPlace) {
  start({"1.2.3", RootReply{404, "application/json", R"({"error":"Not Found"})"}, {}});
  const auto reply = ask("GET", "/", {{"accept", "text/html"}});
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(joined(reply.body), R"({"error":"Not Found"})");
}

TEST_F(Description, ThePageMayBeElsewhereToo) {
  Options options{"1.2.3", RootReply{200, "application/json", R"({"status":"alive"})"}, {}};
  options.docs = true;
  start(std::move(options));
  EXPECT_EQ(joined(ask("GET", "/").body), R"({"status":"alive"})");
  EXPECT_THAT(joined(ask("GET", "/docs").body), HasSubstr("in:  x FP32[-1,4]"));
  EXPECT_THAT(joined(ask("GET", "/docs", {{"accept", "text/html"}}).body), HasSubstr("makeRequest"));
  EXPECT_EQ(ask("GET", "/docs/more").status, 404);
  EXPECT_EQ(ask("POST", "/docs").status, 405);
}

TEST_F(Description, OpenApiHasEachPathOnceAndWhatModelsTake) {
  auto d = testing::simple_description("odd name");
  catalog_.add(d);
  start({"1.2.3", {}, "/own/metrics"});
  const std::string text = joined(ask("GET", "/openapi.json").body);
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(text);
  EXPECT_EQ(std::string_view(document.at_pointer("/info/version").get_string()), "1.2.3");
  std::set<std::string> paths, ids;
  for (const auto& [path, methods] : simdjson::dom::object(document["paths"])) {
    EXPECT_TRUE(paths.insert(std::string(path)).second) << path;
    for (const auto& [method, operation] : simdjson::dom::object(methods))
      EXPECT_TRUE(ids.insert(std::string(std::string_view(operation["operationId"]))).second) << path << method;
  }
  EXPECT_EQ(ids.size(), operations().size() + 2);  // a name that a path can't have as it is, has none of its own
  EXPECT_THAT(paths, Contains("/own/metrics"));
  EXPECT_THAT(paths, Not(Contains("/monitoring/prometheus/metrics")));
  const auto schema =
      document["paths"]["/predict/m"]["post"]["requestBody"]["content"]["application/json"]["schema"].value();
  EXPECT_EQ(std::string_view(schema.at_pointer("/anyOf/0/required/0")), "x");
  EXPECT_EQ(int64_t(schema.at_pointer("/anyOf/0/properties/x/anyOf/0/items/minItems")), 4);
  EXPECT_EQ(std::string_view(schema.at_pointer("/anyOf/0/properties/x/anyOf/0/items/items/type")), "number");
  EXPECT_EQ(std::string_view(schema.at_pointer("/anyOf/0/properties/x/anyOf/1/items/type")), "number")
      << "one row alone";
  EXPECT_THAT(text, HasSubstr(R"({"description":"a number, NaN, Infinity or -Infinity"})")) << "of outputs";
  EXPECT_EQ(ask("GET", "/openapi.json/x").status, 404);
}

TEST_F(Description, OpenApiHasTheSchemasThatOperationsName) {
  start();
  const std::string text = joined(ask("GET", "/openapi.json").body);
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(text);
  const simdjson::dom::object schemas = document["components"]["schemas"];
  std::set<std::string> known;
  for (const auto& [name, schema] : schemas) known.insert("#/components/schemas/" + std::string(name));
  size_t references = 0;
  constexpr std::string_view kKey = "\"$ref\":";
  for (size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at + 1)) {
    const size_t begin = text.find('"', at + kKey.size()) + 1;
    EXPECT_THAT(known, Contains(text.substr(begin, text.find('"', begin) - begin)));
    ++references;
  }
  EXPECT_GT(references, operations().size());
  const auto responses = document["paths"]["/v2/models/{model}/infer"]["post"]["responses"].value();
  EXPECT_EQ(std::string_view(responses["200"]["content"]["application/json"]["schema"]["$ref"]),
            "#/components/schemas/inference_response");
  EXPECT_EQ(std::string_view(responses["4XX"]["content"]["application/json"]["schema"]["$ref"]),
            "#/components/schemas/error");
}

TEST_F(Description, ProtosAreThoseOfTheServicesAndWhatTheyImport) {
  start();
  const auto files = proto_files(methods_);
  EXPECT_THAT(files, Contains("grpc_service.proto"));
  EXPECT_THAT(files, Contains("model_config.proto"));
  EXPECT_THAT(files, Contains("tf_serving_api.proto"));
  for (const std::string& file : files) {
    EXPECT_THAT(file, Not(HasSubstr("google/protobuf/")));
    EXPECT_THAT(joined(ask("GET", "/protos/" + file).body), HasSubstr("syntax = \"proto3\"")) << file;
  }
  EXPECT_THAT(joined(ask("GET", "/protos/grpc_service.proto").body), HasSubstr("rpc ModelInfer(.inference.ModelInfer"));
  EXPECT_THAT(joined(ask("GET", "/protos").body), HasSubstr(R"("grpc_service.proto")"));
  EXPECT_EQ(ask("GET", "/protos/../secret").status, 404);
  EXPECT_EQ(ask("GET", "/protos/none.proto").status, 404);
}

}  // namespace
}  // namespace modelmill::description
