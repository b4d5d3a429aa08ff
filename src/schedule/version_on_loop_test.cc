// Batches that run on the loop that received them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using testing::describe;
using ::testing::ElementsAre;
using testing::Instances;
using testing::make_request;
using testing::RecordingSink;
using testing::SyncInstance;

/// A version on one instance that completes at once, and a loop that the test turns by hand.
class OnLoopTest : public testing::VersionTest {
 protected:
  struct Run {
    std::vector<std::string> ids;
    bool here;
  };

  void start_on_loop(VersionPlan plan, ModelVersion::Description description = describe()) {
    plan.inline_safe = true;
    const auto loop = std::this_thread::get_id();
    Instances instances;
    instances.push_back(std::make_unique<SyncInstance>([this, loop](std::vector<InferRequestPtr>& requests) {
      const std::lock_guard lock(mutex_);
      runs_.push_back({{}, std::this_thread::get_id() == loop});
      for (const auto& request : requests) runs_.back().ids.push_back(request->id);
    }));
    start(plan, std::move(instances), std::move(description));
    while (version_->inline_state() == InlineGovernor::State::kWarming) (void)submit("warm")->wait();
    // The instance is free once a turn gets it.
    do turn({"probe"});
    while (!take_runs().back().here);
  }
  ~OnLoopTest() override { Turn::set_current(nullptr); }

  /// One turn that brings these, waited for.
  void turn(const std::vector<std::string>& ids, Duration budget = 1ms) {
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    Turn::set_current(&turn_);
    turn_.begin(budget);
    for (const std::string& id : ids) sinks.push_back(submit(id));
    turn_.end();
    Turn::set_current(nullptr);
    for (auto& sink : sinks) (void)sink->wait();
  }
  std::vector<Run> take_runs() {
    const std::lock_guard lock(mutex_);
    return std::exchange(runs_, {});
  }

  Turn turn_;
  std::mutex mutex_;
  std::vector<Run> runs_;
};

TEST_F(OnLoopTest, WhatATurnBroughtRunsAsABatchAtItsEnd) {
  start_on_loop(batched(3));
  turn({"a", "b", "c", "d"});
  const auto runs = take_runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(runs[0].ids, ElementsAre("a", "b", "c"));
  EXPECT_THAT(runs[1].ids, ElementsAre("d"));
  EXPECT_TRUE(runs[0].here && runs[1].here);
  unload();
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(OnLoopTest, WithoutATurnOrBudgetTheInstancesThreadRunsIt) {
  start_on_loop(batched(4));
  (void)submit("a")->wait();
  EXPECT_FALSE(take_runs().back().here);
  turn({"b"}, 0us);
  EXPECT_FALSE(take_runs().back().here);
}

TEST_F(OnLoopTest, UnequalShapesDoNotMeetOnTheLoopEither) {
  start_on_loop(batched(4), describe(-1));
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  for (const auto& [id, inner] : {std::pair{"a4", 4}, {"b8", 8}, {"c4", 4}})
    submit(make_request(std::make_shared<RecordingSink>(), id, 1, {inner}));
  turn_.end();
  const auto runs = take_runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(runs[0].ids, ElementsAre("a4", "c4"));
  EXPECT_THAT(runs[1].ids, ElementsAre("b8"));
}

TEST_F(OnLoopTest, AnAnswerMayBringTheNextRequest) {
  start_on_loop(batched(4));
  auto second = std::make_shared<RecordingSink>();
  auto first = std::make_shared<RecordingSink>();
  first->on_final = [&] { submit(make_request(second, "second")); };
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  submit(make_request(first, "first"));
  turn_.end();
  EXPECT_TRUE(second->finished());
  EXPECT_TRUE(take_runs().back().here);
}

TEST_F(OnLoopTest, CancelledWithinTheTurnNeverRuns) {
  start_on_loop(batched(4));
  auto sink = std::make_shared<RecordingSink>();
  auto request = make_request(sink, "a");
  const auto cancel = std::make_shared<CancelToken>();
  request->cancel = cancel;
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  submit(std::move(request));
  cancel->cancel(CancelToken::Reason::kClientGone);
  turn_.end();
  EXPECT_EQ(sink->wait().code(), Code::kCancelled);
  EXPECT_TRUE(take_runs().empty());
}

TEST_F(OnLoopTest, ADelayIsKeptOnTheInstances) {
  VersionPlan plan = batched(4);
  plan.inline_safe = true;
  plan.batching.max_queue_delay = 1h;
  start(plan);
  EXPECT_EQ(version_->explain().on_loop, "never");
}

}  // namespace
}  // namespace modelmill
