#include "request/infer_request.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace modelmill {
namespace {

struct Got {
  Status status;
  bool final;
  bool has_response;
};

class Sink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    log.push_back({response.status, final, has_response});
    if (at_response) at_response();
  }
  std::vector<Got> log;
  void (*at_response)() = nullptr;
};

TEST(InferRequestTest, CompletesOnce) {
  const auto sink = std::make_shared<Sink>();
  InferRequest request(sink);
  request.respond({});
  request.respond({});
  EXPECT_FALSE(request.completed());
  request.complete({});
  EXPECT_TRUE(request.completed());
  ASSERT_EQ(sink->log.size(), 3u);
  EXPECT_FALSE(sink->log[1].final);
  EXPECT_TRUE(sink->log[2].final && sink->log[2].has_response);
  EXPECT_DEATH(request.complete({}), "exactly once");
  EXPECT_DEATH(request.respond({}), "cannot answer again");
}

TEST(InferRequestTest, FailuresAndEmptyEnds) {
  const auto sink = std::make_shared<Sink>();
  InferRequest(sink).fail(unavailable("later"));
  EXPECT_EQ(sink->log.back().status, unavailable("later"));
  InferRequest(sink).finish();
  EXPECT_TRUE(sink->log.back().final);
  EXPECT_FALSE(sink->log.back().has_response);
  EXPECT_EQ(sink->log.size(), 2u);
}

TEST(InferRequestTest, ADroppedRequestIsAnswered) {
  const auto sink = std::make_shared<Sink>();
  { InferRequest request(sink); }
  ASSERT_EQ(sink->log.size(), 1u);
  EXPECT_EQ(sink->log[0].status.code(), Code::kInternal);
}

/// Writes down in which order observer, sink and release come.
std::string g_order;

class Observer final : public RequestObserver {
 public:
  void on_completed(InferRequest& request, const Status& status) override {
    g_order += status.ok() ? "observer " : "observer(error) ";
    EXPECT_EQ(request.id, "r1");
  }
};

TEST(InferRequestTest, ObserverThenSinkThenRelease) {
  for (const bool fails : {false, true}) {
    g_order.clear();
    const auto sink = std::make_shared<Sink>();
    sink->at_response = [] { g_order += "sink "; };
    Observer observer;
    int held = 0;
    InferRequest request(sink);
    request.id = "r1";
    request.observer = &observer;
    request.hold(&held, [](void* n) {
      ++*static_cast<int*>(n);
      g_order += "release";
    });
    fails ? request.fail(internal("no")) : request.complete({});
    EXPECT_EQ(g_order, fails ? "observer(error) sink release" : "observer sink release");
    EXPECT_EQ(held, 1);
  }
}

TEST(InferRequestTest, WhatIsHeldIsReleasedWhenDropped) {
  int held = 0;
  {
    InferRequest request(std::make_shared<Sink>());
    request.hold(&held, [](void* n) { ++*static_cast<int*>(n); });
  }
  EXPECT_EQ(held, 1);
}

TEST(InferRequestTest, SinksCanBeReplaced) {
  const auto first = std::make_shared<Sink>(), second = std::make_shared<Sink>();
  InferRequest request(first);
  EXPECT_EQ(request.replace_sink(second), first);
  request.complete({});
  EXPECT_TRUE(first->log.empty());
  EXPECT_EQ(second->log.size(), 1u);
}

TEST(CancelTokenTest, TheFirstReasonStays) {
  CancelToken token;
  EXPECT_FALSE(token.cancelled());
  std::atomic<int> winners{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] { winners += token.cancel(CancelToken::Reason::kClientGone) ? 1 : 0; });
  for (auto& t : threads) t.join();
  EXPECT_EQ(winners, 1);
  EXPECT_FALSE(token.cancel(CancelToken::Reason::kDeadline));
  EXPECT_EQ(token.reason(), CancelToken::Reason::kClientGone);
}

TEST(SequenceControlTest, Presence) {
  SequenceControl control;
  EXPECT_FALSE(control.present());
  control.id = uint64_t{5};
  EXPECT_TRUE(control.present());
  control.id = std::string();
  EXPECT_FALSE(control.present());
  control.id = std::string("s");
  EXPECT_TRUE(control.present());
}

TEST(ParametersTest, KeepOrderAndReplace) {
  Parameters parameters;
  EXPECT_TRUE(parameters.empty());
  parameters.set("b", int64_t{1});
  parameters.set("a", true);
  parameters.set("b", std::string("two"));
  ASSERT_NE(parameters.find("b"), nullptr);
  EXPECT_EQ(std::get<std::string>(*parameters.find("b")), "two");
  EXPECT_EQ(parameters.find("c"), nullptr);
  EXPECT_EQ(parameters.begin()->first, "b");
}

}  // namespace
}  // namespace modelmill
