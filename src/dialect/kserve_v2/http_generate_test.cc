#include "dialect/kserve_v2/http_generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::ElementsAre;
using testing::FakeCatalog;
using testing::FakeExchange;
using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;
using testing::LoopThread;

ModelVersion::Description decoupled_model() {
  auto d = testing::simple_description("m");
  d.definition.max_batch_size = 0;
  d.definition.decoupled = true;
  d.signature.inputs = {{"x", DataType::kFp32, {-1}, {}, false}};
  d.signature.outputs = {{"y", DataType::kFp32, {-1}, {}, false}};
  return d;
}

InferResponse answer_to(InferRequest& request) {
  InferResponse response;
  Tensor tensor = request.inputs[0];
  tensor.name = "y";
  response.outputs.push_back(std::move(tensor));
  response.version = 1;
  request.times.compute_start = Clock::now();
  return response;
}

class HttpGenerate : public ::testing::Test {
 protected:
  HttpGenerate() : inference_(catalog_.catalog()), service_(inference_, {}) {
    router_.add("v2", service_.http(), http_api_group);
  }

  std::shared_ptr<FakeExchange> open(const std::string& kind, const std::string& body = R"({"x":[1,2]})") {
    auto exchange = std::make_shared<FakeExchange>(thread_.loop(), http_request("POST", "/v2/models/m/" + kind, body));
    thread_.run([&] { router_.handle(exchange); });
    return exchange;
  }
  /// A model that answers `count` times and then ends without one more.
  void add_answering(int count) {
    catalog_.add(decoupled_model(), [count](InferRequestPtr request) {
      for (int i = 0; i < count; ++i) request->respond(answer_to(*request));
      request->finish();
    });
  }

  LoopThread thread_;
  FakeCatalog catalog_;
  Inference inference_;
  Service service_;
  HttpRouter router_;
};

TEST_F(HttpGenerate, EachAnswerIsAnEvent) {
  add_answering(2);
  const auto exchange = open("generate_stream");
  const wire::HttpReply head = exchange->wait();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(header_of(head, "Content-Type"), "text/event-stream; charset=utf-8");
  const std::string event = "data: {\"model_name\":\"m\",\"model_version\":\"1\",\"y\":[1.0,2.0]}\n\n";
  EXPECT_THAT(exchange->pieces, ElementsAre(event, event));
}

TEST_F(HttpGenerate, AStreamMayHaveNoAnswerAtAll) {
  add_answering(0);
  const auto exchange = open("generate_stream");
  EXPECT_EQ(exchange->wait().status, 200);
  EXPECT_TRUE(exchange->pieces.empty());
}

TEST_F(HttpGenerate, GenerateTakesExactlyOneAnswer) {
  for (const int count : {0, 1, 2, 3}) {
    add_answering(count);
    const wire::HttpReply reply = open("generate")->wait();
    EXPECT_EQ(reply.status, count == 1 ? 200 : 500);
    const char* expected = count == 1 ? R"("y":[1.0,2.0])" : "generate expects model to produce exactly 1 response";
    EXPECT_THAT(joined(reply.body), HasSubstr(expected));
  }
}

TEST_F(HttpGenerate, AnErrorThatComesFirstGivesTheReplyItsStatus) {
  catalog_.add(decoupled_model(), [](InferRequestPtr request) {
    request->times.compute_start = Clock::now();
    request->fail(unavailable("not now"));
  });
  const auto exchange = open("generate_stream");
  EXPECT_EQ(exchange->wait().status, 503);
  EXPECT_THAT(exchange->pieces, ElementsAre("data: {\"error\":\"not now\"}\n\n"));
  EXPECT_EQ(open("generate")->wait().status, 503);
}

TEST_F(HttpGenerate, AnErrorAfterAnAnswerIsAnEvent) {
  catalog_.add(decoupled_model(), [](InferRequestPtr request) {
    request->respond(answer_to(*request));
    request->fail(internal("broken"));
  });
  const auto exchange = open("generate_stream");
  EXPECT_EQ(exchange->wait().status, 200);
  EXPECT_THAT(exchange->pieces, ElementsAre(HasSubstr("model_name"), "data: {\"error\":\"broken\"}\n\n"));
}

TEST_F(HttpGenerate, WhatNeverReachesAModelIsAnOrdinaryError) {
  add_answering(1);
  for (const std::string kind : {"generate", "generate_stream"}) {
    for (const std::string body : {"{", R"({"z":[1]})", "{}"}) {
      const wire::HttpReply reply = open(kind, body)->wait();
      EXPECT_EQ(reply.status, 400) << body;
      EXPECT_EQ(header_of(reply, "Content-Type"), "application/json");
    }
  }
  const auto unknown = testing::ask(thread_, router_.handler(), http_request("POST", "/v2/models/no/generate", "{}"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(testing::ask(thread_, router_.handler(), http_request("GET", "/v2/models/m/generate")).status, 405);
}

TEST_F(HttpGenerate, TheModelWaitsForItsReader) {
  constexpr int kAnswers = 400;  // of more than 40 KB each
  std::atomic<int> made{0};
  std::thread model;
  catalog_.add(decoupled_model(), [&](InferRequestPtr request) {
    model = std::thread([&, r = std::move(request)]() mutable {
      for (int i = 0; i < kAnswers; ++i) {
        r->respond(answer_to(*r));
        ++made;
      }
      r->finish();
    });
  });
  std::string numbers = "1.5";
  for (int i = 1; i < 10'000; ++i) numbers += ",1.5";
  const auto exchange = open("generate_stream", "{\"x\":[" + numbers + "]}");
  // The reader takes 1 MB at a time; never is much more than the bound there.
  size_t most = 0;
  bool ended = false;
  while (!ended) {
    thread_.run([&] {
      most = std::max(most, exchange->unsent);
      exchange->unsent -= std::min<size_t>(exchange->unsent, 1 << 20);
      ended = exchange->pieces.size() == kAnswers;
    });
  }
  EXPECT_EQ(exchange->wait().status, 200);
  model.join();
  EXPECT_EQ(made, kAnswers);
  EXPECT_LT(most, size_t{5} << 20);
}

TEST_F(HttpGenerate, AClientThatGoesEndsTheWaiting) {
  std::thread model;
  std::atomic<bool> was_cancelled{false};
  catalog_.add(decoupled_model(), [&](InferRequestPtr request) {
    model = std::thread([&, r = std::move(request)]() mutable {
      while (!r->cancelled()) r->respond(answer_to(*r));
      was_cancelled = true;
      r->finish();
    });
  });
  const auto exchange = open("generate_stream");
  size_t unsent = 0;
  while (unsent < size_t{4} << 20) thread_.run([&] { unsent = exchange->unsent; });
  thread_.run([&] { exchange->abandoned(); });
  model.join();
  EXPECT_TRUE(was_cancelled);
}

}  // namespace
}  // namespace modelmill::kserve_v2
