// Versions whose executions take resources of the server's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "catalog/execution_limiter.h"
#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using testing::batched;
using ::testing::ElementsAre;
using testing::Instances;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::StagedInstance;
using testing::SyncInstance;

const ResourceKey kR{0, "R"};

/// One resource, of which there is one.
class VersionResources : public testing::VersionTest {
 protected:
  std::shared_ptr<ExecutionClaim> claim() { return *limiter_->claim({{"R", false, 1}}, 1, 0); }
  VersionPlan limited(int64_t max_rows, int instances = 1) {
    VersionPlan plan = batched(max_rows);
    for (int i = 0; i < instances; ++i) plan.places.push_back({InstanceGroup::Kind::kCpu, 0, {}, claim()});
    return plan;
  }
  std::shared_ptr<RecordingSink> submit_held(const std::string& id) {
    auto sink = std::make_shared<RecordingSink>();
    auto request = make_request(sink, id);
    request->holds_resources = true;
    submit(std::move(request));
    return sink;
  }
  using VersionTest::submit;

  const std::shared_ptr<ExecutionLimiter> limiter_ =
      std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>{});
};

TEST_F(VersionResources, WhatCameWhileItWaitedRunsTogether) {
  start(limited(4));
  ExecutionTicket other(claim());
  ASSERT_TRUE(other.try_take());
  auto a = submit("a"), b = submit("b"), c = submit("c");
  EXPECT_EQ(version_->load().busy, 0);
  EXPECT_EQ(version_->load().pending, 3);
  other.give_back(true);
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(limiter_->taken(kR), 1);
  EXPECT_FALSE(other.try_take());
  batch.finish();
  EXPECT_TRUE(a->wait().ok() && b->wait().ok() && c->wait().ok());
  EXPECT_TRUE(other.try_take()) << "it is given back with the end of the execution";
}

TEST_F(VersionResources, InstancesOfOneVersionShareThemToo) {
  start(limited(1, 2), 2);
  auto a = submit("a"), b = submit("b");
  PendingBatch first = stage_.take();
  EXPECT_EQ(stage_.size(), 0U);
  EXPECT_EQ(version_->load().busy, 1);
  first.finish();
  stage_.take().finish();
  EXPECT_TRUE(a->wait().ok() && b->wait().ok());
}

TEST_F(VersionResources, AnInstanceThatNeedsOthersTakesWhatOneCannot) {
  VersionPlan plan = limited(1);
  plan.places.push_back({InstanceGroup::Kind::kCpu, 0, {}, nullptr});
  start(plan, 2);
  for (int i = 0; i < 8; ++i) {
    // The one that needs R ends last, so that it is most likely the first to be asked.
    auto first = submit("first");
    PendingBatch a = stage_.take();
    const bool holds = limiter_->taken(kR) > 0;
    auto second = submit("second");
    PendingBatch b = stage_.take();
    (holds ? b : a).finish();
    EXPECT_TRUE((holds ? second : first)->wait().ok());
    (holds ? a : b).finish();
    EXPECT_TRUE((holds ? first : second)->wait().ok());
    ExecutionTicket other(claim());
    while (!other.try_take()) std::this_thread::yield();
    auto third = submit("third");
    stage_.take().finish();
    EXPECT_TRUE(third->wait().ok());
    other.give_back(true);
  }
}

TEST_F(VersionResources, WhoeverIsWaitedForByAHolderDoesNotWait) {
  start(limited(1));
  ExecutionTicket caller(claim());
  ASSERT_TRUE(caller.try_take());
  auto mine = submit("mine");
  auto asked = submit_held("asked");
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("asked")) << "it comes before what was there already";
  batch.finish();
  EXPECT_TRUE(asked->wait().ok());
  EXPECT_EQ(version_->load().pending, 1);
  caller.give_back(true);
  stage_.take().finish();
  EXPECT_TRUE(mine->wait().ok());
}

TEST_F(VersionResources, WhoHoldsNothingDoesNotComeAlong) {
  VersionPlan plan = limited(3);
  plan.batching.max_queue_delay = std::chrono::hours(1);
  start(plan);
  ExecutionTicket caller(claim());
  ASSERT_TRUE(caller.try_take());
  for (const char* id : {"x", "y", "z"}) submit(id);
  submit_held("a");
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("a")) << "nor is it waited for more";
  batch.finish();
  caller.give_back(true);
  PendingBatch rest = stage_.take();
  EXPECT_THAT(rest.ids(), ElementsAre("x", "y", "z"));
  rest.finish();
}

TEST_F(VersionResources, AnAnswerToAHolderIsNotHeldBackForOthers) {
  VersionPlan plan = limited(1);
  plan.batching.preserve_ordering = true;
  start(plan);
  ExecutionTicket caller(claim());
  ASSERT_TRUE(caller.try_take());
  auto mine = submit("mine");
  auto asked = submit_held("asked");
  stage_.take().finish();
  EXPECT_TRUE(asked->wait().ok());
  EXPECT_EQ(version_->load().pending, 1);
  caller.give_back(true);
  stage_.take().finish();
  EXPECT_TRUE(mine->wait().ok());
}

TEST_F(VersionResources, ItCanGoWhileItWaits) {
  start(limited(1));
  ExecutionTicket other(claim());
  ASSERT_TRUE(other.try_take());
  auto sink = std::make_shared<RecordingSink>();
  auto request = make_request(sink, "a");
  request->cancel = std::make_shared<CancelToken>();
  const auto cancel = request->cancel;
  submit(std::move(request));
  cancel->cancel(CancelToken::Reason::kClientGone);
  version_->drop_unwanted();
  EXPECT_FALSE(sink->wait().ok());
  unload();
  EXPECT_EQ(limiter_->taken(kR), 1);
}

TEST_F(VersionResources, AnInstanceCanLeaveWhileItWaits) {
  VersionPlan plan = limited(1);
  plan.make_instance = [&](BackendModel&, int, InstancePlace&) -> Result<std::unique_ptr<BackendInstance>> {
    return std::unique_ptr<BackendInstance>(std::make_unique<StagedInstance>(stage_));
  };
  start(plan);
  ExecutionTicket other(claim());
  ASSERT_TRUE(other.try_take());
  auto sink = submit("a");
  ASSERT_TRUE(version_->set_instances(0, ScalingReason::kClient, "the test").ok());
  ASSERT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
  other.give_back(true);
  stage_.take().finish();
  EXPECT_TRUE(sink->wait().ok());
}

TEST_F(VersionResources, WhatMayWaitNeverRunsOnALoop) {
  VersionPlan plan = limited(1);
  plan.inline_safe = true;
  start(plan);
  EXPECT_EQ(version_->explain().on_loop, "never");
}

/// Two versions under load, with one resource between them.
TEST_F(VersionResources, NoTwoRunAtATimeAndAllAreAnswered) {
  constexpr int kRequests = 3'000;
  std::atomic<int> running{0}, most{0};
  const auto run = [&](std::vector<InferRequestPtr>&) {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::yield();
    --running;
  };
  std::vector<std::unique_ptr<VersionScheduler>> versions;
  for (int v = 0; v < 2; ++v) {
    Instances instances;
    for (int i = 0; i < 2; ++i) instances.push_back(std::make_unique<SyncInstance>(run));
    versions.push_back(std::make_unique<VersionScheduler>(
        testing::describe(), std::make_shared<VersionStats>(metrics_, "m", v + 1), limited(4, 2),
        std::make_unique<testing::FakeModel>(), std::move(instances), time_));
  }
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < kRequests; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    VersionScheduler& version = *versions[static_cast<size_t>(i) % 2];
    auto request = make_request(sinks.back());
    VersionPin pin(version);
    ASSERT_TRUE(pin);
    std::move(pin).hand_to(*request);
    version.submit(std::move(request));
  }
  for (const auto& sink : sinks) EXPECT_TRUE(sink->wait().ok());
  for (const auto& version : versions) {
    version->gate().close();
    version->gate().wait_empty();
  }
  versions.clear();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(limiter_->taken(kR), 0);
}

}  // namespace
}  // namespace modelmill
