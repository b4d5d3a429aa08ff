// Requests along routes, through Inference: fallbacks, breakers, timeouts, and one answer each.

#include "serve/routed_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "serve/inference.h"
#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

/// Lets a test wait for the end of a request.
class WaitingSink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response) responses.push_back(std::move(response));
    finals += final;
    if (final) done_.set_value();
  }
  const InferResponse& wait() {
    done_.get_future().wait();
    return responses.back();
  }
  std::vector<InferResponse> responses;
  int finals = 0;

 private:
  std::promise<void> done_;
};

/// Models a, b and c, each of which answers as its script says: an error, an echo for OK, or with `hold` not yet.
class RoutedTest : public ::testing::Test {
 protected:
  RoutedTest() {
    for (const char* name : {"a", "b", "c"}) {
      const auto description = testing::simple_description(name);
      fakes_.add(description, [this, description, name = std::string(name)](InferRequestPtr request) {
        Status status;
        {
          const MutexLock lock(mutex_);  // timeouts come on a thread of their own
          ++asked_[name];
          if (held_.contains(name)) return held_[name].push_back(std::move(request));
          status = failing_[name];
        }
        if (!status.ok()) return request->fail(status);
        testing::echo(description, std::move(request));
      });
    }
  }

  void publish(const std::string& json) { routes_.publish({parse_route(json, "r").value()}); }

  struct Asked {
    std::shared_ptr<WaitingSink> sink = std::make_shared<WaitingSink>();
    RoutedRequestPtr routed;
    std::shared_ptr<CancelToken> cancel = std::make_shared<CancelToken>();

    std::string header(const std::string& name) const {
      for (const auto& [key, value] : routed->headers())
        if (key == name) return value;
      return "";
    }
  };
  Asked ask() {
    Asked asked;
    auto request = std::make_unique<InferRequest>(asked.sink);
    request->model = "r";
    request->cancel = asked.cancel;
    Tensor x{"x", DataType::kFp32, {1, 4}, {Bytes::copy_of(std::string(16, '\1'))}};
    request->inputs.push_back(std::move(x));
    asked.routed = inference_.route("r");
    inference_.submit(std::move(request), nullptr, asked.routed);
    return asked;
  }
  /// Who served, or the error.
  std::string outcome(const Asked& asked) {
    EXPECT_EQ(asked.sink->finals, 1);
    const Status status = asked.sink->responses.at(0).status;
    return status.ok() ? asked.header("x-route-arm") : status.message();
  }

  /// Requests for the model wait until they are taken.
  void hold(const std::string& model) {
    const MutexLock lock(mutex_);
    held_[model];
  }
  InferRequestPtr take(const std::string& model) {
    while (true) {
      const MutexLock lock(mutex_);
      std::deque<InferRequestPtr>& waiting = held_[model];
      if (waiting.empty()) continue;
      InferRequestPtr request = std::move(waiting.front());
      waiting.pop_front();
      return request;
    }
  }

  MetricRegistry metrics_;
  Routes routes_{metrics_};
  testing::FakeCatalog fakes_;
  Mutex mutex_;
  std::map<std::string, Status> failing_;
  std::map<std::string, int> asked_;
  std::map<std::string, std::deque<InferRequestPtr>> held_;
  Inference inference_{fakes_.catalog(), nullptr, &routes_};
};

TEST_F(RoutedTest, AnotherServesWhereOneFails) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b", "c"]}})");
  Asked asked = ask();
  EXPECT_EQ(outcome(asked), "a");
  EXPECT_EQ(asked.header("x-route-fallback"), "");
  failing_["a"] = internal("a is broken");
  asked = ask();
  EXPECT_EQ(outcome(asked), "b");
  EXPECT_EQ(asked.header("x-route-fallback"), "error");
  EXPECT_EQ(asked.header("x-served-model"), "b");
  EXPECT_EQ(asked.header("x-served-version"), "1");
  EXPECT_EQ(asked.sink->responses[0].outputs.size(), 1U);
  failing_["b"] = resource_exhausted("b is full");
  EXPECT_EQ(outcome(ask()), "c");
  failing_["c"] = invalid_argument("c takes something else");  // a fallback's refusal is not the client's fault
  EXPECT_EQ(outcome(ask()), "a is broken");
  Parameters told;
  asked.routed->describe(told);
  EXPECT_EQ(std::get<std::string>(*told.find("route_fallback")), "error");
  const std::string page = metrics_.render();
  EXPECT_THAT(page, HasSubstr(R"(modelmill_route_fallbacks_total{route="r",arm="a",reason="error"} 3)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_route_fallbacks_total{route="r",arm="b",reason="overload"} 2)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_route_failures_total{route="r",arm="a"} 3)"));
  EXPECT_THAT(page, HasSubstr(R"(modelmill_route_requests_total{route="r",arm="b"} 3)"));
}

TEST_F(RoutedTest, WhatTheClientDidWrongIsNoFailure) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"]}, "breaker": {"failures": 1}})");
  for (const Status& status : {invalid_argument("bad"), cancelled("gone"), failed_precondition("no"),
                               not_found("no such row"), unimplemented("not that")}) {
    failing_["a"] = status;
    EXPECT_EQ(outcome(ask()), status.message());
  }
  EXPECT_EQ(asked_["b"], 0);
  failing_.clear();
  EXPECT_EQ(outcome(ask()), "a");  // the breaker has stayed closed
}

TEST_F(RoutedTest, OnlyTheNamedFailuresAreFollowed) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"], "on": ["overload"]}})");
  failing_["a"] = internal("broken");
  EXPECT_EQ(outcome(ask()), "broken");
  failing_["a"] = unavailable("full");
  EXPECT_EQ(outcome(ask()), "b");
}

TEST_F(RoutedTest, AConstantIsTheLastAnswer) {
  publish(R"({"split": {"a": 50, "missing": 50}, "fallback": {"answer": {"outputs":
      [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [[0.5, 1]]}]}}})");
  failing_["a"] = internal("broken");
  for (int i = 0; i < 20; ++i) {  // one arm fails, the other is not there
    const Asked asked = ask();
    EXPECT_EQ(outcome(asked), "answer");
    const Tensor& y = asked.sink->responses[0].outputs.at(0);
    EXPECT_EQ(y.contiguous().view(), std::string_view("\0\0\0\x3f\0\0\x80\x3f", 8));
    EXPECT_EQ(asked.header("x-served-model"), "");
  }
}

TEST_F(RoutedTest, WhatIsNotThereIsLeft) {
  publish(R"({"split": {"missing": 100}, "fallback": {"to": ["missing2", "b"]}})");
  EXPECT_EQ(outcome(ask()), "b");
  publish(R"({"split": {"missing": 100}})");
  EXPECT_THAT(outcome(ask()), HasSubstr("'missing' is not found"));
  publish(R"({"split": {"missing": 100}, "fallback": {"to": ["missing2"]}})");
  EXPECT_THAT(outcome(ask()), HasSubstr("'missing' is not found"));
}

TEST_F(RoutedTest, ABreakerKeepsRequestsFromWhatFails) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"]}, "breaker": {"failures": 3, "open": "600s"}})");
  failing_["a"] = internal("broken");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(outcome(ask()), "b");
  EXPECT_EQ(asked_["a"], 3);
  EXPECT_EQ(ask().header("x-route-fallback"), "open");
  EXPECT_THAT(metrics_.render(), HasSubstr(R"(modelmill_route_breaker_state{route="r",arm="a"} 2)"));
  failing_["b"] = internal("broken too");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outcome(ask()), "broken too");
  EXPECT_THAT(outcome(ask()), HasSubstr("all that it leads to has failed"));
  // A change of the route does not close it.
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["c"]}, "breaker": {"failures": 3, "open": "600s"}})");
  EXPECT_EQ(outcome(ask()), "c");
  EXPECT_EQ(asked_["a"], 3);
}

TEST_F(RoutedTest, ALateAnswerIsNotHeard) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"], "timeout": "20ms"}})");
  hold("a");
  const Asked asked = ask();
  EXPECT_TRUE(asked.sink->wait().status.ok());
  EXPECT_EQ(outcome(asked), "b");
  EXPECT_EQ(asked.header("x-route-fallback"), "timeout");
  testing::echo(testing::simple_description("a"), take("a"));
  EXPECT_EQ(asked.sink->finals, 1);
}

TEST_F(RoutedTest, TheLastMayTakeItsTime) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"], "timeout": "5ms"}})");
  hold("a");
  hold("b");
  const Asked asked = ask();
  InferRequestPtr last = take("b");
  EXPECT_EQ(last->deadline, kNever);
  // The time of one that was asked later is over, so the first has had that long too.
  const Asked later = ask();
  const InferRequestPtr other = take("b");
  EXPECT_EQ(asked.sink->finals, 0);
  testing::echo(testing::simple_description("b"), std::move(last));
  EXPECT_EQ(outcome(asked), "b");
  other->finish();
  take("a")->finish();
  take("a")->finish();
}

TEST_F(RoutedTest, NobodyIsAskedForAClientThatHasGone) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"]}})");
  hold("a");
  const Asked asked = ask();
  asked.cancel->cancel(CancelToken::Reason::kClientGone);
  take("a")->fail(internal("broken"));
  EXPECT_EQ(outcome(asked), "broken");
  EXPECT_EQ(asked_["b"], 0);
}

TEST_F(RoutedTest, AClientsOwnHasteOpensNoBreaker) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"]}, "breaker": {"failures": 1}})");
  hold("a");
  const Asked asked = ask();
  asked.cancel->cancel(CancelToken::Reason::kDeadline);
  take("a")->fail(deadline_exceeded("the deadline has passed"));
  EXPECT_EQ(outcome(asked), "the deadline has passed");
  EXPECT_THAT(metrics_.render(), HasSubstr(R"(modelmill_route_breaker_state{route="r",arm="a"} 0)"));
}

TEST_F(RoutedTest, NamesFitIntoHeaders) {
  fakes_.add(testing::simple_description("\u6a21 %"));
  publish(R"({"split": {"\u6a21 %": 100}})");
  EXPECT_EQ(ask().header("x-served-model"), "%E6%A8%A1%20%25");
}

TEST_F(RoutedTest, AnswersThatWereHeardAreNotFollowed) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"]}})");
  hold("a");
  const Asked asked = ask();
  const InferRequestPtr request = take("a");
  request->respond({});
  request->fail(internal("broken in the middle"));
  EXPECT_EQ(asked.sink->finals, 1);
  ASSERT_EQ(asked.sink->responses.size(), 2U);
  EXPECT_EQ(asked.sink->responses[1].status.message(), "broken in the middle");
  EXPECT_EQ(asked_["b"], 0);
}

/// Answers, failures and timeouts that meet: every request is answered once, and by nobody twice.
TEST_F(RoutedTest, AStormOfTimeoutsAnswersEachOnce) {
  publish(R"({"split": {"a": 100}, "fallback": {"to": ["b"], "timeout": "1ms"}, "breaker": {"failures": 1000000}})");
  hold("a");
  std::vector<Asked> all;
  AttemptTimer answers;  // on a thread of its own, at the moment at which the attempt is given up
  for (int i = 0; i < 300; ++i) {
    all.push_back(ask());
    const auto request = std::make_shared<InferRequestPtr>(take("a"));
    answers.call_at((*request)->deadline, [request, fails = i % 3 == 0] {
      if (fails)
        (*request)->fail(internal("broken"));
      else
        testing::echo(testing::simple_description("a"), std::move(*request));
    });
  }
  for (Asked& asked : all) EXPECT_TRUE(asked.sink->wait().status.ok());
  for (Asked& asked : all) EXPECT_EQ(asked.sink->finals, 1);
}

}  // namespace
}  // namespace modelmill
