#include "lifecycle/answer_distance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lifecycle/testing/fake_backend.h"

namespace modelmill {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

AnswerDistance between(const std::vector<float>& a, const std::vector<float>& b) {
  return answer_distance({fake_floats("y", {static_cast<int64_t>(a.size())}, a)},
                         {fake_floats("y", {static_cast<int64_t>(b.size())}, b)});
}

TEST(AnswerDistance, IsRelativeToTheLargestValueOfTheOutput) {
  EXPECT_EQ(between({1, 2, 4}, {1, 2, 4}).relative, 0);
  EXPECT_FLOAT_EQ(static_cast<float>(between({1, 2, -4}, {1.5, 2, -4}).relative), 0.125F);
  EXPECT_EQ(between({1, 2, -4}, {1.5, 2, -4}).output, "y");
  EXPECT_TRUE(std::isinf(between({0, 0}, {0, 1e-9F}).relative));
}

TEST(AnswerDistance, WhatIsNoNumberMustBeNoneInBoth) {
  EXPECT_EQ(between({kNan, kInf, 1}, {kNan, kInf, 1}).relative, 0);
  EXPECT_TRUE(std::isinf(between({kNan, 1}, {1, 1}).relative));
  EXPECT_TRUE(std::isinf(between({kInf, 1}, {-kInf, 1}).relative));
}

TEST(AnswerDistance, ShapesTypesAndOutputsMustBeTheSame) {
  EXPECT_EQ(between({1, 2}, {1, 2, 3}).problem, "output 'y' has shape [3], not [2]");
  const Tensor y = fake_floats("y", {1}, {1}), z = fake_floats("z", {1}, {1});
  EXPECT_EQ(answer_distance({y, z}, {y}).problem, "output 'z' is missing");
  EXPECT_EQ(answer_distance({y}, {z, y}).problem, "");
  Tensor whole = y;
  whole.dtype = DataType::kInt32;
  EXPECT_EQ(answer_distance({y}, {whole}).problem, "output 'y' has type INT32, not FP32");
}

TEST(AnswerDistance, IntegersMustBeEqual) {
  Tensor one = fake_floats("y", {1}, {1}), two = fake_floats("y", {1}, {1.0000001F});
  one.dtype = two.dtype = DataType::kInt32;
  EXPECT_EQ(answer_distance({one}, {one}).problem, "");
  EXPECT_EQ(answer_distance({one}, {two}).problem, "output 'y' has other values");
}

}  // namespace
}  // namespace modelmill
