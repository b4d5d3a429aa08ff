#include "schedule/response_order.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

/// Appends what it gets to a log shared by all sinks of a test.
class LoggingSink final : public ResponseSink {
 public:
  LoggingSink(std::vector<std::string>& log, std::string name) : log_(log), name_(std::move(name)) {}
  void on_response(InferResponse, bool final, bool) override { log_.push_back(name_ + (final ? "!" : "")); }

 private:
  std::vector<std::string>& log_;  // the order calls one sink at a time
  std::string name_;
};

struct Fixture {
  std::vector<std::string> log;
  std::shared_ptr<ResponseOrder> order = std::make_shared<ResponseOrder>();
  InferRequestPtr admitted(const std::string& name) {
    auto request = std::make_unique<InferRequest>(std::make_shared<LoggingSink>(log, name));
    order->admit(*request);
    return request;
  }
};

TEST(ResponseOrderTest, LateFirstHoldsTheOthersBack) {
  Fixture f;
  auto a = f.admitted("a"), b = f.admitted("b"), c = f.admitted("c");
  c->complete({});
  b->fail(internal("no"));
  EXPECT_TRUE(f.log.empty());
  a->complete({});
  EXPECT_EQ(f.log, (std::vector<std::string>{"a!", "b!", "c!"}));
}

TEST(ResponseOrderTest, IntermediateAnswersOfTheFirstGoOutAtOnce) {
  Fixture f;
  auto a = f.admitted("a"), b = f.admitted("b");
  b->respond({});
  a->respond({});
  EXPECT_EQ(f.log, (std::vector<std::string>{"a"}));
  a->finish();
  EXPECT_EQ(f.log, (std::vector<std::string>{"a", "a!", "b"}));
  b->finish();
  EXPECT_EQ(f.log.back(), "b!");
}

TEST(ResponseOrderTest, ADroppedRequestDoesNotBlock) {
  Fixture f;
  auto a = f.admitted("a"), b = f.admitted("b");
  b->complete({});
  a.reset();
  EXPECT_EQ(f.log, (std::vector<std::string>{"a!", "b!"}));
}

TEST(ResponseOrderTest, ThreadsCompleteInAnyOrder) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  constexpr int kThreads = 4, kEach = 200;
  Fixture f;
  std::vector<InferRequestPtr> requests;
  std::vector<std::string> expected;
  for (int i = 0; i < kThreads * kEach; ++i) {
    requests.push_back(f.admitted(std::to_string(i)));
    expected.push_back(std::to_string(i) + "!");
  }
  std::shuffle(requests.begin(), requests.end(), std::mt19937(seed));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) requests[static_cast<size_t>(t) * kEach + static_cast<size_t>(i)]->complete({});
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(f.log, expected);
}

}  // namespace
}  // namespace modelmill
