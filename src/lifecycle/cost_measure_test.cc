#include "lifecycle/cost_measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/fake_backend.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;

/// A model whose executions move the clock.
class CostMeasure : public ::testing::Test {
 protected:
  std::vector<CostPoint> measure(int64_t max_rows, Duration budget, int64_t fails_from = 1'000) {
    return measure(sizes_to_measure(max_rows, {}), budget, fails_from);
  }
  std::vector<CostPoint> measure(const std::vector<int64_t>& sizes, Duration budget, int64_t fails_from = 1'000) {
    const FakeCompute compute = [this, fails_from](const TensorList& inputs) -> Result<TensorList> {
      const int64_t rows = inputs[0].shape[0];
      if (rows >= fails_from) return internal("too many");
      time_.advance(1ms + rows * 10us);
      ++executions_;
      return TensorList{fake_floats("y", inputs[0].shape, floats_of(inputs[0]))};
    };
    FakeInstance instance(compute, log_);
    return measure_costs(instance, "m", 1, {{fake_floats("x", {1, 2}, {1, 2})}, 1}, sizes, budget, time_);
  }

  ManualTime time_;
  FakeLog log_;
  int executions_ = 0;
};

std::vector<double> sizes(const std::vector<CostPoint>& points) {
  std::vector<double> out;
  for (const CostPoint& point : points) out.push_back(point.rows);
  return out;
}

TEST_F(CostMeasure, EverySizeUpToTheLargest) {
  const auto points = measure(12, 1s);
  EXPECT_THAT(sizes(points), ::testing::ElementsAre(1, 2, 4, 8, 12));
  EXPECT_EQ(points[2].mean, 1040us);
  EXPECT_EQ(points[2].executions, 4);
}

TEST_F(CostMeasure, OnlyTheSizesThatAreAllowed) {
  EXPECT_THAT(sizes_to_measure(32, {4, 32}), ::testing::ElementsAre(4, 32));
  EXPECT_THAT(sizes_to_measure(12, {}), ::testing::ElementsAre(1, 2, 4, 8, 12));
  EXPECT_THAT(sizes_to_measure(1, {}), ::testing::ElementsAre(1));
  const auto points = measure(sizes_to_measure(32, {4, 32}), 1s);
  EXPECT_THAT(sizes(points), ::testing::ElementsAre(4, 32));
  EXPECT_EQ(points[1].mean, 1320us);
}

TEST_F(CostMeasure, KeepsToItsBudget) {
  const TimePoint begin = time_.now();
  const auto points = measure(64, 20ms);
  EXPECT_LE(time_.now() - begin, 20ms);
  EXPECT_GE(points.size(), 2u);
  EXPECT_LT(points.size(), 7u);
}

TEST_F(CostMeasure, ASlowModelIsRunOnce) {
  const auto points = measure(64, 1us);
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].executions, 1);
  EXPECT_EQ(executions_, 1);
}

TEST_F(CostMeasure, EndsAtWhatFails) { EXPECT_THAT(sizes(measure(64, 1s, 5)), ::testing::ElementsAre(1, 2, 4)); }

TEST_F(CostMeasure, UnbatchedIsOneSize) { EXPECT_THAT(sizes(measure(1, 1s)), ::testing::ElementsAre(1)); }

}  // namespace
}  // namespace modelmill
