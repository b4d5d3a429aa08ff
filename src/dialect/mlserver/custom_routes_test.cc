#include "dialect/mlserver/custom_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "dialect/mlserver/route_book.h"
#include "dialect/mlserver/route_pattern.h"
#include "dialect/testing/fakes.h"
#include "request/open_parameter.h"
#include "serve/testing/fake_version.h"

namespace modelmill::mlserver {
namespace {

using ::testing::HasSubstr;
using testing::header_of;
using testing::joined;
using ::testing::Not;

TEST(RoutePattern, MatchesSegments) {
  const RoutePattern plain("/a/b"), named("/a/{name}/sum"), rest("/a/{file:path}");
  EXPECT_TRUE(plain.matches({"a", "b"}));
  EXPECT_FALSE(plain.matches({"a"}) || plain.matches({"a", "b", "c"}) || plain.matches({"a", "c"}));
  EXPECT_TRUE(named.matches({"a", "any one", "sum"}));
  EXPECT_FALSE(named.matches({"a", "sum"}) || named.matches({"a", "x", "other"}));
  EXPECT_TRUE(rest.matches({"a", "b", "c"}) && rest.matches({"a"}));
  EXPECT_FALSE(rest.matches({"b", "c"}));
  EXPECT_FALSE(RoutePattern("/").matches({}));
}

/// One element of bytes.
InferResponse answer_of(const std::string& body) {
  const auto length = static_cast<uint32_t>(body.size());
  InferResponse response;
  response.outputs.push_back({"body", DataType::kBytes, {1}, {}});
  response.outputs[0].data.push_back(
      Bytes::from_string(std::string(reinterpret_cast<const char*>(&length), sizeof length) + body));
  return response;
}

class CustomRoutes : public ::testing::Test {
 protected:
  CustomRoutes() {
    router_.add(
        "owned", [](const std::shared_ptr<wire::HttpExchange>& e) { e->reply(json_reply(200, "{}")); },
        wire::ApiGroup::kMetadata);
    add_custom_routes(router_, inference_, {});
  }
  /// A model whose code has these paths, as JSON, and tells how it was asked.
  void add(const std::string& name, const std::string& routes) {
    auto d = testing::simple_description(name);
    d.signature.open = true;
    catalog_.add(d, [this, name, routes](InferRequestPtr request) {
      EXPECT_FALSE(request->keepable) << "each request comes to the code";
      const auto asked = std::get<std::string>(*request->parameters.find(kOpenRequest));
      if (asked == R"({"route":{"list":true}})") {
        ++lists_;
        if (!failure_.ok()) return request->fail(failure_);
        return request->complete(answer_of(routes));
      }
      InferResponse response =
          answer_of(name + " " + asked + " " + std::string(request->inputs[0].contiguous().view().substr(4)));
      response.parameters.set("modelmill_route",
                              std::string(R"({"status": 201, "headers": [["x-a", "1"], ["x-a", "2"]]})"));
      request->complete(std::move(response));
    });
  }
  wire::HttpReply ask(const std::string& method, const std::string& path, const std::string& body = "") {
    return testing::ask(thread_, router_.handler(),
                        testing::http_request(method, path, body, {{"x-mine", "b"}, {"content-length", "9"}}));
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_{catalog_.catalog()};
  HttpRouter router_;
  int lists_ = 0;
  Status failure_;
};

TEST_F(CustomRoutes, AreOfTheModelThatHasThem) {
  add("first", R"([{"method": "GET", "path": "/mine"}, {"method": "POST", "path": "/mine/{name}"}])");
  add("second", R"([{"method": "POST", "path": "/mine"}])");
  const auto reply = ask("POST", "/mine/a%20b?c=d", "text");
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(header_of(reply, "x-a"), "1");
  const std::string told = joined(reply.body);
  EXPECT_THAT(told, HasSubstr(R"("method":"POST","path":"/mine/a%20b","query":"c=d")"));
  EXPECT_THAT(told, AllOf(HasSubstr(R"(["x-mine","b"])"), Not(HasSubstr("content-length"))));
  EXPECT_THAT(told, AllOf(::testing::StartsWith("first "), ::testing::EndsWith(" text")));
  EXPECT_THAT(joined(ask("GET", "/mine").body), ::testing::StartsWith("first "));
  EXPECT_THAT(joined(ask("POST", "/mine").body), ::testing::StartsWith("second "));
  EXPECT_EQ(lists_, 2) << "each is asked once";
  EXPECT_EQ(router_.group(testing::http_request("POST", "/mine")), wire::ApiGroup::kInference);
}

TEST_F(CustomRoutes, WhatIsNoneOfTheirs) {
  EXPECT_FALSE(router_.group(testing::http_request("POST", "/mine"))) << "no model could have it";
  add("first",
      R"([{"method": "POST", "path": "/mine"}, {"method": "PUT", "path": "/mine"}, {"method": "GET", "path": "/owned/x"}])");
  const auto refused = ask("GET", "/mine");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(header_of(refused, "Allow"), "POST, PUT");
  EXPECT_THAT(joined(ask("GET", "/other").body), HasSubstr("no such path: '/other'"));
  EXPECT_EQ(joined(ask("GET", "/owned/x").body), "{}") << "the server's own";
  EXPECT_EQ(ask("GET", "/%zz").status, 400);
}

TEST_F(CustomRoutes, AModelThatCannotTellIsAskedAgain) {
  add("first", R"([{"method": "POST", "path": "/mine"}])");
  failure_ = unavailable("its worker is being replaced");
  EXPECT_EQ(ask("POST", "/mine").status, 404);
  failure_ = ok_status();
  EXPECT_EQ(ask("POST", "/mine").status, 201);
  EXPECT_EQ(lists_, 2);
}

TEST_F(CustomRoutes, WaitForNoModelThatIsSlowToTell) {
  add("first", R"([{"method": "GET", "path": "/first"}])");
  EXPECT_EQ(ask("GET", "/first").status, 201);
  InferRequestPtr held;
  auto slow = testing::simple_description("slow");
  slow.signature.open = true;
  catalog_.add(slow, [&](InferRequestPtr request) {
    ++lists_;
    held = std::move(request);
  });
  EXPECT_EQ(ask("GET", "/first").status, 201) << "what is known is answered at once";
  EXPECT_EQ(lists_, 1);
  const TimePoint begin = Clock::now();
  EXPECT_EQ(ask("GET", "/other").status, 404);
  const TimePoint end = Clock::now();
  EXPECT_GE(end - begin, RouteBook::kPatience);
  EXPECT_EQ(ask("GET", "/other").status, 404);
  EXPECT_LT(Clock::now() - end, RouteBook::kPatience) << "one has waited for it already";
  EXPECT_EQ(lists_, 2) << "one question is under way";
  thread_.run([&] { std::exchange(held, nullptr)->complete(answer_of(R"([{"method": "POST", "path": "/slow"}])")); });
  EXPECT_EQ(ask("GET", "/slow").status, 405) << "it has told by now";
}

TEST_F(CustomRoutes, ShareAQuestion) {
  InferRequestPtr held;
  auto slow = testing::simple_description("slow");
  slow.signature.open = true;
  catalog_.add(slow, [&](InferRequestPtr request) {
    ++lists_;
    held = std::move(request);
  });
  std::vector<std::shared_ptr<testing::FakeExchange>> exchanges;
  for (int i = 0; i < 2; ++i)
    exchanges.push_back(std::make_shared<testing::FakeExchange>(thread_.loop(), testing::http_request("GET", "/slow")));
  thread_.run([&] {
    for (const auto& exchange : exchanges) router_.handler()(exchange);
    EXPECT_EQ(lists_, 1);
    std::exchange(held, nullptr)->complete(answer_of(R"([{"method": "POST", "path": "/slow"}])"));
  });
  for (const auto& exchange : exchanges) EXPECT_EQ(exchange->wait().status, 405);
}

TEST_F(CustomRoutes, AModelWithoutInstancesIsNotAsked) {
  add("first", R"([{"method": "POST", "path": "/mine"}])");
  auto& version = *catalog_.catalog().table()->find("first")->versions.back();
  static_cast<testing::FakeVersion&>(version).has_no_instances = true;
  EXPECT_EQ(ask("POST", "/mine").status, 404);
  EXPECT_EQ(lists_, 0);
  static_cast<testing::FakeVersion&>(version).has_no_instances = false;
  EXPECT_EQ(ask("POST", "/mine").status, 201);
}

}  // namespace
}  // namespace modelmill::mlserver
