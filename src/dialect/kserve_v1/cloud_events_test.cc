#include "dialect/kserve_v1/cloud_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/testing/fakes.h"

namespace modelmill::kserve_v1 {
namespace {

using ::testing::EndsWith;
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
    const auto handler = [this, status](const std::shared_ptr<wire::HttpExchange>& exchange) {
      const auto answer = [this, status, exchange](const auto& opened) {
        EXPECT_TRUE(thread_.loop().on_thread());
        if (!opened.ok()) return exchange->reply(error_reply(opened.status()));
        const wire::HttpRequest& request = (*opened)->request();
        seen_ = request.headers;
        if (answer_.empty())
          return (*opened)->reply(json_reply(status, R"({"asked":)" + std::string(request.body.view()) + "}"));
        (*opened)->reply(wire::HttpReply::text(status, answer_type_, answer_));
      };
      open_event(exchange, "m", offload_, answer, settings_);
    };
    return testing::ask(thread_, handler,
                        testing::http_request("POST", "/v1/models/m:predict", std::move(body), headers));
  }

  testing::LoopThread thread_;
  EventSettings settings_;
  Offload* offload_ = nullptr;
  std::string answer_;  // of the model; empty: what it was asked
  std::string answer_type_;
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

TEST_F(CloudEvents, AnswersThatAreNoJsonAreTextOrBase64) {
  const auto data = [this](std::string type, std::string answer) {
    answer_type_ = std::move(type);
    answer_ = std::move(answer);
    const auto reply = ask(kEvent, kStructured);
    EXPECT_EQ(header_of(reply, "Content-Type"), "application/cloudevents+json");
    const std::string text = joined(reply.body);
    const ThreadJsonParser parser;
    EXPECT_TRUE(parse_json(*parser, text, text.size()).ok()) << text;
    return text;
  };
  EXPECT_THAT(data("text/plain; charset=utf-8", "say \"x\""),
              EndsWith(R"("datacontenttype":"text/plain; charset=utf-8","data":"say \"x\""})"));
  EXPECT_THAT(data("text/plain", "\xff"), EndsWith(R"("datacontenttype":"text/plain","data_base64":"/w=="})"));
  EXPECT_THAT(data("application/octet-stream", "abc"), EndsWith(R"("data_base64":"YWJj"})"));
  EXPECT_THAT(data("application/problem+json", R"({"a":1})"), EndsWith(R"(,"data":{"a":1}})"));
  EXPECT_THAT(data("Application/JSON;charset=utf-8", "[1]"), EndsWith(R"(,"data":[1]})"));
}

TEST_F(CloudEvents, DataMayBeBase64) {
  const std::string head = R"({"specversion":"1.0","id":"7","source":"here","type":"t",)";
  answer_type_ = "application/json";
  EXPECT_THAT(joined(ask(head + R"("datacontenttype":"application/json","data_base64":"WzFd"})", kStructured).body),
              HasSubstr(R"("data":{"asked":[1]})"));
  EXPECT_EQ(seen_, (std::vector<std::pair<std::string, std::string>>{{"content-type", "application/json"}}));
  ask(head + R"("data_base64":"MQ=="})", kStructured);
  EXPECT_EQ(seen_, (std::vector<std::pair<std::string, std::string>>{{"content-type", "application/octet-stream"}}));
  for (const char* wrong : {R"("data_base64":"*"})", R"("data_base64":1})", R"("data":1,"data_base64":"MQ=="})"}) {
    const auto reply = ask(head + wrong, kStructured);
    EXPECT_EQ(reply.status, 400) << wrong;
    EXPECT_THAT(joined(reply.body), HasSubstr("data_base64")) << wrong;
  }
}

TEST_F(CloudEvents, LargeOnesAreReadAndWrittenElsewhere) {
  const std::string text(2 * kLoopBytes, 'a');
  const std::string event = R"({"specversion":"1.0","id":"7","source":"here","type":"t","data":")" + text + "\"}";
  Offload offload(1, 1);
  offload_ = &offload;
  EXPECT_THAT(joined(ask(event, kStructured).body), EndsWith(R"("data":{"asked":")" + text + "\"}}"));
  answer_type_ = "text/plain";
  answer_ = text;
  EXPECT_THAT(joined(ask(kEvent, kStructured).body), EndsWith(R"("data":")" + text + "\"}"));
  EXPECT_EQ(ask(event.substr(0, event.size() - 1), kStructured).status, 400);
  offload.stop();
  EXPECT_EQ(ask(event, kStructured).status, 503) << "no loop reads it in the place of the offload";
  EXPECT_EQ(ask(kEvent, kStructured).status, 200);
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
