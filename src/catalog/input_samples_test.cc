#include "catalog/input_samples.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

void offer(InputSamples& samples, size_t bytes) {
  InferRequest request(nullptr);
  Tensor x{"x", DataType::kUint8, {static_cast<int64_t>(bytes)}, {}};
  x.data.push_back(Bytes::copy_of(std::string(bytes, 'a')));
  request.inputs.push_back(x);
  samples.offer(request);
}

TEST(InputSamples, KeepsNothingUnlessItIsWanted) {
  InputSamples samples;
  offer(samples, 1);
  EXPECT_TRUE(samples.take().empty());
}

TEST(InputSamples, KeepsTheFirstThatCome) {
  InputSamples samples;
  samples.want(2);
  for (const size_t bytes : {1, 2, 3}) offer(samples, bytes);
  const auto kept = samples.take();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0][0].byte_size(), 1U);
  EXPECT_EQ(kept[1][0].byte_size(), 2U);
  offer(samples, 4);
  EXPECT_TRUE(samples.take().empty());
}

TEST(InputSamples, PassesLargeOnesOver) {
  InputSamples samples;
  samples.want(1);
  offer(samples, InputSamples::kMostBytes + 1);
  offer(samples, 7);
  const auto kept = samples.take();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0][0].byte_size(), 7U);
}

}  // namespace
}  // namespace modelmill
