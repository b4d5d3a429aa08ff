#include "dialect/kserve_v1/cloud_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "dialect/http_router.h"
#include "dialect/testing/fakes.h"

namespace modelmill::kserve_v1 {
namespace {

using ::testing::HasSubstr;
using testing::header_of;
using testing::joined;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kUuid = "[0-9a-f]*-[0-9a-f]*-4[0-9a-f]*-[89ab][0-9a-f]*-[0-9a-f]*";

class CloudEvents : public ::testing::Test {
 protected:
  /// What a client of a model gets that answers with what it was asked, by what type, and with which headers.
  wire::HttpReply ask(std::string body, std::vector<std::pair<std::string, std::string>> headers, int status = 200) {
    const auto handler = [this, status](std::shared_ptr<wire::HttpExchange> exchange) {
      auto opened = open_event(exchange, "m", settings_);
      if (!opened.ok()) return exchange->reply(error_reply(opened.status()));
      const wire::HttpRequest& request = (*opened)->request();
      seen_ = request.headers;
      (*opened)->reply(json_reply(status, R"({"asked":)" + std::string(request.body.view()) + "}"));
    };
    return testing::ask(thread_, handler,
                        testing::http_request("POST", "/v1/models/m:predict", std::move(body), headers));
  }

  testing::LoopThread thread_;
  EventSettings settings_;
  std::vector<std::pair<std::string, std::string>> seen_;
};

const std::vector<std::pair<std::string, std::string>> kBinary{
    {"ce-specversion", "1.0"}, {"ce-id", "7"},      {"ce-source", "here"},
    {"ce-type", "t"},          {"ce-mine", "kept"}, {"content-type", "application/json"}};
const std::vector<std::pair<std::string, std::string>> kStructured{{"content-type", "application/cloudevents+json"},
                                                                   {"accept-encoding", "gzip"}};
constexpr const char* kEvent =
    R"({"specversion":"1.0","id":"7","source":"here","type":"t","mine":5,"data":{"instances":[[1,2]]}})";

TEST_F(CloudEvents, InHeaders) {
  const auto reply = ask(R"({"instances":[1]})", kBinary);
  EXPECT_EQ(joined(reply.body), R"({"asked":{"instances":[1]}})");
  EXPECT_EQ(header_of(reply, "ce-specversion"), "1.0");
  EXPECT_EQ(header_of(reply, "ce-source"), "io.kserve.inference.m");
  EXPECT_EQ(header_of(reply, "ce-type"), "io.kserve.inference.response");
  EXPECT_THAT(std::string(header_of(reply, "ce-id")), MatchesRegex(kUuid));
  EXPECT_THAT(std::string(header_of(reply, "ce-time")), StartsWith("20"));
  EXPECT_EQ(header_of(reply, "ce-mine"), "");
  EXPECT_EQ(header_of(reply, "Content-Type"), "application/json");
  EXPECT_EQ(seen_.size(), 1U) << "the model doesn't see the event";
}

TEST_F(CloudEvents, AsJson) {
  const auto reply = ask(kEvent, kStructured);
  const std::string text = joined(reply.body);
  EXPECT_EQ(header_of(reply, "Content-Type"), "application/cloudevents+json");
  EXPECT_THAT(text, HasSubstr(R"("data":{"asked":{"instances":[[1,2]]}})"));
  EXPECT_THAT(text, HasSubstr(R"("source":"io.kserve.inference.m","type":"io.kserve.inference.response")"));
  EXPECT_THAT(text, Not(HasSubstr("mine")));
  EXPECT_EQ(seen_, (std::vector<std::pair<std::string, std::string>>{{"content-type", "application/json"}}));
}

TEST_F(CloudEvents, MayBeMergedAndNamed) {
  settings_ = {"mine.type", "mine.source", true};
  EXPECT_EQ(header_of(ask("1", kBinary), "ce-mine"), "kept");
  EXPECT_NE(header_of(ask("1", kBinary), "ce-id"), "7");
  const std::string text = joined(ask(kEvent, kStructured).body);
  EXPECT_THAT(text, HasSubstr(R"("mine":5,)"));
  EXPECT_THAT(text, HasSubstr(R"("source":"mine.source","type":"mine.type")"));
  EXPECT_THAT(text, Not(HasSubstr(R"("id":"7")")));
}

TEST_F(CloudEvents, WhatIsNoneIsLetBe) {
  const auto reply = ask("1", {{"content-type", "application/json"}, {"ce-id", "7"}});
  EXPECT_EQ(reply.headers.size(), 1U) << "an event says more than its id";
  EXPECT_EQ(joined(ask("1", {}).body), R"({"asked":1})");
}

TEST_F(CloudEvents, ErrorsAreAsForAnybody) {
  const auto refused = ask("1", kBinary, 404);
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(header_of(refused, "ce-id"), "");
  const auto problem = [this](const std::string& body) {
    const auto reply = ask(body, kStructured);
    EXPECT_EQ(reply.status, 400);
    return joined(reply.body);
  };
  EXPECT_THAT(problem("{"), HasSubstr("the CloudEvent is no JSON"));
  EXPECT_THAT(problem("[]"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(problem(R"({"data":1,"id":"1","source":"s","type":"t"})"), HasSubstr("has no 'specversion'"));
  EXPECT_THAT(problem(R"({"specversion":"1.0","id":"1","source":"s","type":"t"})"), HasSubstr("has no 'data'"));
}

}  // namespace
}  // namespace modelmill::kserve_v1
