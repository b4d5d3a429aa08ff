#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedule/padding_request.h"
#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using testing::batched;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;

TEST(PaddingRequest, RepeatsTheFirstRow) {
  const auto sink = std::make_shared<RecordingSink>();
  auto first = make_request(sink, "first", 2, {3});
  first->inputs[0] = {"x", DataType::kUint8, {2, 3}, {Bytes::copy_of("ab"), Bytes::copy_of("cdef")}};
  first->inputs.push_back({"s", DataType::kBytes, {2}, {Bytes::copy_of(std::string("\x02\0\0\0hi\x01\0\0\0!", 11))}});
  const InferRequestPtr padding = make_padding(*first, 3);
  EXPECT_EQ(padding->batch_rows, 3);
  ASSERT_EQ(padding->inputs.size(), 2u);
  EXPECT_EQ(padding->inputs[0].contiguous().view(), "abcabcabc");
  for (const Tensor& input : padding->inputs) {
    EXPECT_EQ(input.shape[0], 3);
    EXPECT_TRUE(check_tensor_bytes(input).ok()) << check_tensor_bytes(input).message();
  }
  padding->complete({});
  EXPECT_FALSE(sink->finished()) << "its answer is nobody's";
  first->complete({});
}

class VersionPadding : public testing::VersionTest {};

TEST_F(VersionPadding, BatchesAreFilledUpAndOnlyExecutionsKnow) {
  VersionPlan plan = batched(8);
  plan.cost_aware = true;
  plan.batching.mode = BatchingDefinition::Mode::kDynamic;
  plan.batching.allowed_sizes = {1, 4, 8};
  start(plan);
  const auto run = [&](const std::vector<int64_t>& expected) {
    PendingBatch batch = stage_.take();
    std::vector<int64_t> rows;
    for (const auto& request : batch.requests) rows.push_back(request->batch_rows);
    EXPECT_EQ(rows, expected);
    time_.advance(std::chrono::milliseconds(1));
    batch.finish();
  };
  std::vector<std::shared_ptr<RecordingSink>> sinks{submit()};
  PendingBatch alone = stage_.take();
  EXPECT_EQ(alone.requests.size(), 1u) << "a size that is allowed stays";
  for (const int64_t rows : {2, 1, 3}) sinks.push_back(submit("", rows));
  time_.advance(std::chrono::milliseconds(1));
  alone.finish();
  run({2, 1, 3, 2});
  sinks.push_back(submit("", 3));
  run({3, 1});
  for (const auto& sink : sinks) EXPECT_TRUE(sink->wait().ok());
  version_->gate().close();
  version_->gate().wait_empty();
  EXPECT_EQ(version_->explain().policy, "allowed sizes");
  const std::vector<LearnedCost> costs = version_->learned();
  ASSERT_EQ(costs.size(), 1u);
  std::vector<double> learned;
  for (const CostPoint& point : costs[0].points) learned.push_back(point.rows);
  EXPECT_THAT(learned, ElementsAre(1, 4, 8)) << "what is learned is of the sizes that ran";
  version_.reset();
  const auto view = stats_->view();
  EXPECT_EQ(view.success.count, 5u);
  EXPECT_EQ(view.inference_count, 10u);
  EXPECT_EQ(view.execution_count, 3u);
  EXPECT_EQ(view.compute_infer.count, 5u);
  EXPECT_EQ(view.batches.count(8), 1u);
  EXPECT_THAT(metrics_.render(), HasSubstr("modelmill_padded_rows_total{model=\"m\",version=\"1\"} 3"));
}

}  // namespace
}  // namespace modelmill
