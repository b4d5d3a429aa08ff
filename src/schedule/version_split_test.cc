#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using testing::describe;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;

/// Requests of more rows than a batch of four, on instances that the test finishes batch by batch.
class VersionSplitTest : public testing::VersionTest {
 protected:
  void start(VersionPlan plan, int instances = 1, ModelVersion::Description description = describe()) {
    plan.max_batch_rows = 4;
    plan.has_batch_dimension = true;
    VersionTest::start(plan, instances, std::move(description));
  }
  std::shared_ptr<RecordingSink> submit(const std::string& id, int64_t rows) {
    auto sink = std::make_shared<RecordingSink>();
    auto request = make_request(sink, id, rows);
    request->cancel = cancel_;
    VersionTest::submit(std::move(request));
    return sink;
  }
  static std::vector<int64_t> rows(const PendingBatch& batch) {
    std::vector<int64_t> out;
    for (const auto& request : batch.requests) out.push_back(request->batch_rows);
    return out;
  }

  std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
};

TEST_F(VersionSplitTest, RunsAsOrdinaryBatchesAndCountsAsOne) {
  start({});
  const auto whole = submit("whole", 9);
  PendingBatch first = stage_.take();
  EXPECT_THAT(rows(first), ElementsAre(4));
  EXPECT_EQ(stats_->view().pending, 0u) << "it has begun";
  const auto small = submit("small", 2);
  EXPECT_EQ(stats_->view().pending, 1u);
  first.finish();
  PendingBatch second = stage_.take();
  EXPECT_THAT(rows(second), ElementsAre(4));
  second.finish();
  EXPECT_FALSE(whole->finished());
  PendingBatch last = stage_.take();
  EXPECT_THAT(rows(last), ElementsAre(1, 2)) << "its rest shares a batch with others";
  last.finish();
  EXPECT_TRUE(whole->wait().ok());
  EXPECT_TRUE(small->wait().ok());
  unload();
  EXPECT_EQ(whole->finals(), 1);
  const auto view = stats_->view();
  EXPECT_EQ(view.success.count, 2u);
  EXPECT_EQ(view.compute_infer.count, 2u);
  EXPECT_EQ(view.inference_count, 11u);
  EXPECT_EQ(view.execution_count, 3u);
}

TEST_F(VersionSplitTest, PartsRunSideBySide) {
  start({}, 2);
  const auto whole = submit("whole", 8);
  PendingBatch one = stage_.take();
  PendingBatch two = stage_.take();
  two.finish(internal("broken"));
  EXPECT_FALSE(whole->finished());
  one.finish();
  EXPECT_EQ(whole->wait().message(), "broken");
  unload();
  EXPECT_EQ(stats_->view().fail.count, 1u);
  EXPECT_EQ(stats_->view().success.count, 0u);
}

TEST_F(VersionSplitTest, CancelledPartsNeverRun) {
  start({});
  const auto whole = submit("whole", 12);
  PendingBatch first = stage_.take();
  cancel_->cancel(CancelToken::Reason::kClientGone);
  version_->drop_unwanted();
  first.finish();
  EXPECT_EQ(whole->wait().code(), Code::kCancelled);
  unload();
  EXPECT_EQ(stats_->view().execution_count, 1u);
  EXPECT_EQ(stats_->view().fail.count, 1u);
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(VersionSplitTest, IsLetInAsOneRequestWithAllOfItsBytes) {
  VersionPlan plan;
  plan.max_queue_requests = 2;
  plan.max_queue_bytes = 400;
  start(plan);
  const auto running = submit("running", 1);
  PendingBatch first = stage_.take();
  const auto whole = submit("whole", 20);  // 320 bytes in five parts
  const auto refused = submit("refused", 8);
  EXPECT_EQ(refused->wait().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused->wait().message(), HasSubstr("Exceeds maximum queue size"));
  first.finish();
  for (int i = 0; i < 5; ++i) stage_.take().finish();
  EXPECT_TRUE(whole->wait().ok());
  unload();
  EXPECT_EQ(stats_->view().success.count, 2u);
  EXPECT_EQ(stats_->view().fail.count, 1u);
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(VersionSplitTest, WhatIsLeftAtTheEndIsAnswered) {
  start({});
  const auto whole = submit("whole", 12);
  PendingBatch first = stage_.take();
  std::thread stop([this] { unload(); });
  first.finish();
  for (int i = 0; i < 2; ++i) stage_.take().finish();
  EXPECT_TRUE(whole->wait().ok()) << "a version goes after its requests";
  stop.join();
}

TEST_F(VersionSplitTest, OnlyWhereRowsAreIndependent) {
  auto description = describe();
  description.definition.decoupled = true;
  start({}, 1, std::move(description));
  const auto whole = submit("whole", 9);
  PendingBatch all = stage_.take();
  EXPECT_THAT(rows(all), ElementsAre(9)) << "a decoupled model's answers have no order of rows";
  all.finish();
  EXPECT_TRUE(whole->wait().ok());
  unload();
}

}  // namespace
}  // namespace modelmill
