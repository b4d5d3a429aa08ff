#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using testing::Instances;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::SyncInstance;

/// Requests of one shape ask the same thing, whatever their ids.
class VersionCachedTest : public testing::VersionTest {
 protected:
  void SetUp() override { answers_ = std::make_shared<ResponseCache>(CacheLimits{.bytes = 1 << 20}); }
};

TEST_F(VersionCachedTest, AHitIsNoExecution) {
  start(batched(8));
  EXPECT_TRUE(version_->explain().cached);
  auto first = submit("a");
  stage_.take().finish();
  EXPECT_TRUE(first->wait().ok());
  auto second = submit("b");
  EXPECT_TRUE(second->finished()) << "at once";
  EXPECT_TRUE(second->wait().ok());
  auto other = submit("c", 2);
  stage_.take().finish();
  EXPECT_TRUE(other->wait().ok());
  const auto view = stats_->view();
  EXPECT_EQ(view.success.count, 3U);
  EXPECT_EQ(view.inference_count, 3U) << "1 of the first, 2 of the last";
  EXPECT_EQ(view.cache_hit.count, 1U);
  EXPECT_EQ(view.cache_miss.count, 2U);
  EXPECT_EQ(view.queue.count, 3U);
  EXPECT_EQ(view.pending, 0U);
  EXPECT_EQ(version_->gate().inside_approx(), 0U) << "nobody pins it any more";
  unload();
  EXPECT_EQ(stats_->view().execution_count, 2U);
  EXPECT_EQ(answers_->entries(), 0U) << "they go with their version";
}

TEST_F(VersionCachedTest, AVersionThatIsLoadedAgainComputesAgain) {
  start(batched(8));
  submit("a");
  stage_.take().finish();
  unload();
  start(batched(8));
  auto again = submit("a");
  PendingBatch batch = stage_.take();
  EXPECT_EQ(batch.ids().size(), 1U);
  batch.finish();
  EXPECT_TRUE(again->wait().ok());
}

TEST_F(VersionCachedTest, FailuresAreComputedAgain) {
  start(batched(8));
  auto first = submit("a");
  stage_.take().finish(internal("broken"));
  EXPECT_EQ(first->wait().code(), Code::kInternal);
  auto second = submit("b");
  stage_.take().finish();
  EXPECT_TRUE(second->wait().ok());
}

TEST_F(VersionCachedTest, TheOrderOfAnswersIsKept) {
  VersionPlan plan = batched(1);
  plan.batching.preserve_ordering = true;
  start(plan, 2);
  submit("a");
  stage_.take().finish();
  auto waits = std::make_shared<RecordingSink>();
  auto request = make_request(waits, "other");
  request->parameters.set("other", true);
  submit(std::move(request));
  PendingBatch running = stage_.take();
  auto hit = submit("b");
  EXPECT_FALSE(hit->finished()) << "it came after one that is not answered yet";
  running.finish();
  EXPECT_TRUE(waits->wait().ok());
  EXPECT_TRUE(hit->wait().ok());
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
}

TEST_F(VersionCachedTest, ARequestThatIsSplitIsKeptAsAWhole) {
  Instances instances;
  instances.push_back(std::make_unique<SyncInstance>());
  start(batched(2), std::move(instances));
  auto first = submit("a", 5);
  EXPECT_TRUE(first->wait().ok());
  auto second = submit("b", 5);
  EXPECT_TRUE(second->finished());
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
  EXPECT_EQ(stats_->view().cache_miss.count, 1U);
}

TEST_F(VersionCachedTest, OneThatIsSuspendedRefusesWhatItKnows) {
  start(batched(8));
  submit("a");
  stage_.take().finish();
  EXPECT_TRUE(version_->suspend("a test").ok());
  EXPECT_EQ(submit("b")->wait().code(), Code::kUnavailable);
  version_->resume();
  EXPECT_TRUE(submit("c")->finished());
}

}  // namespace
}  // namespace modelmill
