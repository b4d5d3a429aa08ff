// Instances that come and go while a version serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using testing::Instances;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::StagedInstance;
using testing::SyncInstance;

class VersionInstances : public testing::VersionTest {
 protected:
  /// On staged instances, or on ones that answer at once.
  void start(bool staged, bool inline_safe = false) {
    VersionPlan plan = batched(1);
    plan.inline_safe = inline_safe;
    plan.wants_instance = [this] { ++wanted_; };
    plan.make_instance = [this, staged](BackendModel&, int index,
                                        InstancePlace&) -> Result<std::unique_ptr<BackendInstance>> {
      if (index >= most_) return resource_exhausted("no memory for another");
      ++made_;
      return make(staged);
    };
    Instances first;
    first.push_back(make(staged));
    VersionTest::start(plan, std::move(first));
  }
  std::unique_ptr<BackendInstance> make(bool staged) {
    if (staged) return std::make_unique<StagedInstance>(stage_);
    return std::make_unique<SyncInstance>();
  }

  std::atomic<int> wanted_{0}, made_{0};
  int most_ = 8;
};

TEST_F(VersionInstances, OneMoreTakesWhatWaits) {
  start(true);
  auto first = submit(), second = submit();
  PendingBatch one = stage_.take();
  EXPECT_EQ(stage_.size(), 0u);
  ASSERT_TRUE(version_->set_instances(2, ScalingReason::kClient, "the test").ok());
  PendingBatch two = stage_.take();
  EXPECT_EQ(version_->load().instances, 2);
  EXPECT_EQ(version_->load().busy, 2);
  one.finish();
  two.finish();
  EXPECT_TRUE(first->wait().ok());
  EXPECT_TRUE(second->wait().ok());
}

TEST_F(VersionInstances, OneLeavesWhenItsWorkIsDone) {
  start(true);
  ASSERT_TRUE(version_->set_instances(2, ScalingReason::kClient, "the test").ok());
  auto first = submit(), second = submit();
  PendingBatch one = stage_.take(), two = stage_.take();
  std::atomic<bool> left{false};
  std::thread control([&] {
    EXPECT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
    left = true;
  });
  // Either may be of the first request, and of the instance that leaves.
  one.finish();
  two.finish();
  control.join();
  EXPECT_TRUE(left);
  EXPECT_TRUE(first->wait().ok());
  EXPECT_TRUE(second->wait().ok());
  EXPECT_EQ(version_->load().instances, 1);
  auto third = submit();
  stage_.take().finish();
  EXPECT_TRUE(third->wait().ok());
}

TEST_F(VersionInstances, WithNoneRequestsWaitAndAskForOne) {
  start(false);
  ASSERT_TRUE(version_->set_instances(0, ScalingReason::kClient, "the test").ok());
  auto sink = submit();
  EXPECT_THAT(metrics_.render(), ::testing::HasSubstr("direction=\"down\",reason=\"client\"} 1"));
  EXPECT_EQ(wanted_, 1);
  EXPECT_FALSE(sink->finished());
  EXPECT_EQ(version_->load().pending, 1);
  ASSERT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
  EXPECT_TRUE(sink->wait().ok());
}

TEST_F(VersionInstances, WhatWaitsAtTheEndIsAnswered) {
  start(false);
  ASSERT_TRUE(version_->set_instances(0, ScalingReason::kClient, "the test").ok());
  auto sink = submit();
  version_->gate().close();
  version_.reset();
  EXPECT_EQ(sink->wait().code(), Code::kUnavailable);
}

TEST_F(VersionInstances, AnInstanceThatCantBeMadeChangesNothing) {
  start(false);
  most_ = 2;
  const Status status = version_->set_instances(5, ScalingReason::kClient, "the test");
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_EQ(version_->load().instances, 2);
  EXPECT_EQ(version_->explain().held_back, "no memory for another");
  EXPECT_TRUE(submit()->wait().ok());
  most_ = 8;
  EXPECT_TRUE(version_->set_instances(3, ScalingReason::kClient, "the test").ok());
  EXPECT_EQ(version_->explain().held_back, "");
}

TEST_F(VersionInstances, AnInstanceIsWhereItsMakerPutIt) {
  VersionPlan plan = batched(1);
  plan.places = {{InstanceGroup::Kind::kGpu, 0, {}}};
  plan.make_instance = [this](BackendModel&, int, InstancePlace& place) -> Result<std::unique_ptr<BackendInstance>> {
    EXPECT_EQ(place.device, 0) << "where it is wanted";
    place.device = 3;
    return make(false);
  };
  Instances first;
  first.push_back(make(false));
  VersionTest::start(plan, std::move(first));
  ASSERT_TRUE(version_->set_instances(2, ScalingReason::kClient, "the test").ok());
  EXPECT_EQ(version_->explain().places, (std::vector<std::string>{"gpu 0", "gpu 3"}));
}

TEST_F(VersionInstances, WhatOneMoreWouldBringIsMeasured) {
  VersionPlan plan = batched(1);
  plan.cost_aware = true;
  plan.instance_limits = {1, 3, {}};
  plan.make_instance = [this](BackendModel&, int, InstancePlace&) -> Result<std::unique_ptr<BackendInstance>> {
    return make(true);
  };
  Instances first;
  first.push_back(make(true));
  VersionTest::start(plan, std::move(first));
  const auto run = [&](size_t together, Duration time) {
    for (int64_t i = 0; i < ConcurrencyCosts::kEnough; ++i) {
      std::vector<std::shared_ptr<RecordingSink>> sinks;
      std::vector<PendingBatch> batches;
      for (size_t k = 0; k < together; ++k) sinks.push_back(submit());
      for (size_t k = 0; k < together; ++k) batches.push_back(stage_.take());
      time_.advance(time);
      for (PendingBatch& batch : batches) batch.finish();
      for (const auto& sink : sinks) EXPECT_TRUE(sink->wait().ok());
    }
  };
  EXPECT_FALSE(version_->gain_of_another());
  run(1, 10ms);
  EXPECT_FALSE(version_->gain_of_another()) << "nothing is known of two";
  EXPECT_EQ(version_->explain().held_back, "");
  ASSERT_TRUE(version_->set_instances(2, ScalingReason::kBusy, "the test").ok());
  run(2, 20ms);
  ASSERT_TRUE(version_->gain_of_another());
  EXPECT_NEAR(*version_->gain_of_another(), 1, 0.01) << "they share what one had";
  EXPECT_THAT(version_->explain().held_back, ::testing::HasSubstr("less than 5% more rows/s"));
  EXPECT_FALSE(version_->explain().outlook) << "no objective chooses";
}

TEST_F(VersionInstances, WithNoneToBeHadRequestsFail) {
  start(false);
  ASSERT_TRUE(version_->set_instances(0, ScalingReason::kClient, "the test").ok());
  most_ = 0;
  auto sink = submit();
  EXPECT_FALSE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
  EXPECT_EQ(sink->wait().code(), Code::kUnavailable);
  most_ = 1;
  ASSERT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
  EXPECT_TRUE(submit()->wait().ok());
}

TEST_F(VersionInstances, OneThatIsSuspendedRefusesUntilItIsResumed) {
  start(true);
  auto first = submit(), second = submit();
  PendingBatch one = stage_.take();
  std::thread control([&] { EXPECT_TRUE(version_->suspend("the test").ok()); });
  while (!version_->suspended()) std::this_thread::yield();
  EXPECT_EQ(submit()->wait().code(), Code::kUnavailable);
  one.finish();
  control.join();
  EXPECT_TRUE(first->wait().ok()) << "it ran already";
  EXPECT_EQ(second->wait().code(), Code::kUnavailable) << "nothing is left to run it";
  EXPECT_EQ(version_->load().instances, 0);
  const Status available = version_->availability();
  EXPECT_EQ(available.code(), Code::kUnavailable);
  EXPECT_THAT(available.message(), ::testing::HasSubstr("has no instances"));
  EXPECT_EQ(submit()->wait().message(), available.message());
  EXPECT_EQ(wanted_, 0) << "nobody is told to make one";

  ASSERT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
  EXPECT_EQ(submit()->wait().code(), Code::kUnavailable) << "that alone is no word of it";
  version_->resume();
  auto third = submit();
  stage_.take().finish();
  EXPECT_TRUE(third->wait().ok());
  EXPECT_TRUE(version_->availability().ok());
}

TEST_F(VersionInstances, OneThatWasGivenNoneSinceHasThoseFromBefore) {
  start(false);
  ASSERT_TRUE(version_->set_instances(2, ScalingReason::kClient, "the test").ok());
  ASSERT_TRUE(version_->suspend("the test").ok());
  ASSERT_TRUE(version_->suspend("the test").ok()) << "again";
  EXPECT_EQ(version_->load().instances, 0);
  version_->resume();
  EXPECT_EQ(version_->load().instances, 2);
  EXPECT_TRUE(submit()->wait().ok());
}

TEST_F(VersionInstances, OneWithAFixedNumberIsSuspendedAsItIs) {
  VersionPlan plan = batched(1);
  plan.concurrent_execute = true;
  plan.concurrency = 1;
  VersionTest::start(plan);
  auto first = submit(), second = submit();
  ASSERT_TRUE(version_->suspend("the test").ok());
  EXPECT_EQ(submit()->wait().code(), Code::kUnavailable);
  stage_.take().finish();
  stage_.take().finish();
  EXPECT_TRUE(first->wait().ok() && second->wait().ok()) << "what came before is answered";
  version_->resume();
  auto third = submit();
  stage_.take().finish();
  EXPECT_TRUE(third->wait().ok());
}

/// Four threads submit, with turns and without, while the number of instances goes up and down.
TEST_F(VersionInstances, NothingIsLostWhileTheyComeAndGo) {
  for (const bool inline_safe : {false, true}) {
    SCOPED_TRACE(inline_safe);
    start(false, inline_safe);
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    std::atomic<int> answered{0};
    for (int t = 0; t < 4; ++t) {
      clients.emplace_back([&, t] {
        Turn turn;
        for (int i = 0; i < 2'000; ++i) {
          std::shared_ptr<RecordingSink> sink;
          if (t % 2 == 0) {
            Turn::set_current(&turn);
            turn.begin(1ms);
            sink = submit();
            turn.end();
            Turn::set_current(nullptr);
          } else {
            sink = submit();
          }
          if (sink->wait().ok()) ++answered;
        }
      });
    }
    std::thread control([&] {
      for (int i = 0; !stop || i < 10; ++i)
        EXPECT_TRUE(version_->set_instances(i * 7 % 5, ScalingReason::kClient, "the test").ok());
      EXPECT_TRUE(version_->set_instances(1, ScalingReason::kClient, "the test").ok());
    });
    for (auto& client : clients) client.join();
    stop = true;
    control.join();
    EXPECT_EQ(answered, 8'000);
    EXPECT_GT(made_, 0);
    unload();
  }
}

}  // namespace
}  // namespace modelmill
