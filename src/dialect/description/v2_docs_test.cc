#include "dialect/description/v2_docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::description {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::header_of;
using testing::joined;
using ::testing::Not;
using ::testing::StartsWith;

class V2Docs : public ::testing::Test {
 protected:
  V2Docs() {
    catalog_.add(testing::simple_description("m"));
    auto open = testing::simple_description("an open one");
    open.signature.open = true;
    open.signature.inputs = {{"text", DataType::kBytes, {-1}}, {"maybe", DataType::kBool, {-1}, {}, true}};
    catalog_.add(open);
    auto large = testing::simple_description("large");
    large.signature.inputs[0].shape = {-1, 3, 224, 224};
    catalog_.add(large);
  }
  wire::HttpReply ask(const std::string& path, const std::string& method = "GET") {
    return testing::ask(thread_, handler_, testing::http_request(method, path, "", {}));
  }
  simdjson::dom::element document(const std::string& path) {
    text_ = joined(ask(path + "/dataplane.json").body);
    return parser_.parse(text_);
  }
  static std::set<std::string> paths_of(simdjson::dom::element document) {
    std::set<std::string> paths;
    for (const auto& [path, methods] : simdjson::dom::object(document["paths"]))
      EXPECT_TRUE(paths.insert(std::string(path)).second) << path;
    return paths;
  }
  static std::string example_of(simdjson::dom::element document, const char* path) {
    simdjson::dom::element example;
    const auto body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"];
    return body["example"].get(example) == simdjson::SUCCESS ? simdjson::minify(example) : "none";
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  wire::HttpHandler handler_ = with_v2_docs(
      [](const std::shared_ptr<wire::HttpExchange>& exchange) {
        exchange->reply(wire::HttpReply::text(299, "text/plain", "another's"));
      },
      catalog_.catalog(), "1.2");
  simdjson::dom::parser parser_;
  std::string text_;
};

TEST_F(V2Docs, PagesNeedNothingFromOutside) {
  for (const char* path : {"/v2/docs", "/v2/models/m/docs", "/v2/models/m/versions/1/docs", "/v2/docs/"}) {
    const auto reply = ask(path);
    EXPECT_EQ(reply.status, std::string(path) == "/v2/docs/" ? 299 : 200) << path;
    if (reply.status != 200) continue;
    const std::string html = joined(reply.body);
    EXPECT_THAT(html, HasSubstr("exampleOf"));
    for (const char* outside : {"/*STYLE*/", "/*SCRIPT*/", "http:", "https:", "src=", "@import", "url("})
      EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
    EXPECT_THAT(header_of(reply, "Content-Security-Policy"),
                AllOf(HasSubstr("default-src 'none'"), Not(HasSubstr("unsafe"))));
  }
  EXPECT_EQ(ask("/v2/docs", "POST").status, 405);
}

TEST_F(V2Docs, TheDocumentHasTheWholeProtocol) {
  const auto whole = document("/v2/docs");
  const auto paths = paths_of(whole);
  EXPECT_THAT(paths, Each(StartsWith("/v2")));
  for (const char* path : {"/v2", "/v2/health/ready", "/v2/models/{model}/infer", "/v2/repository/index",
                           "/v2/models/{model}/versions/{version}/infer", "/v2/docs/dataplane.json"})
    EXPECT_THAT(paths, Contains(path));
  EXPECT_THAT(std::string(whole["info"]["version"].get_string().value()), "1.2");
  EXPECT_THAT(text_, HasSubstr("\"inference_request\":"));
  EXPECT_EQ(example_of(whole, "/v2/models/{model}/infer"), "none");
}

TEST_F(V2Docs, AModelsDocumentHasItsPathsAndAnExample) {
  const auto of_model = document("/v2/models/m/docs");
  const auto paths = paths_of(of_model);
  EXPECT_THAT(paths, Each(StartsWith("/v2/models/m")));
  EXPECT_THAT(paths, Contains("/v2/models/m/infer"));
  EXPECT_THAT(paths, Contains("/v2/models/m"));
  EXPECT_THAT(paths, Each(Not(HasSubstr("/versions/"))));
  EXPECT_EQ(example_of(of_model, "/v2/models/m/infer"),
            R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[0,0,0,0]}]})");
  const auto of_version = paths_of(document("/v2/models/m/versions/1/docs"));
  EXPECT_THAT(of_version, Each(StartsWith("/v2/models/m/versions/1")));
  EXPECT_THAT(of_version, Contains("/v2/models/m/versions/1/infer"));
  const auto open = document("/v2/models/an%20open%20one/docs");
  EXPECT_EQ(example_of(open, "/v2/models/an%20open%20one/infer"),
            R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":[""]}]})");
  EXPECT_THAT(text_, HasSubstr("takes any inputs"));
  EXPECT_EQ(example_of(document("/v2/models/large/docs"), "/v2/models/large/infer"), "none");
}

TEST_F(V2Docs, WhatThereIsNotAndWhatIsAnothers) {
  EXPECT_EQ(ask("/v2/models/none/docs").status, 404);
  EXPECT_EQ(ask("/v2/models/m/versions/7/docs/dataplane.json").status, 404);
  for (const char* path :
       {"/v2", "/v2/models/docs", "/v2/models/m/infer", "/v2/health/docs", "/v2/models/m/docs/other"})
    EXPECT_EQ(joined(ask(path).body), "another's") << path;
}

}  // namespace
}  // namespace modelmill::description
