// Distances against values computed by hand; what numpy and scipy give is written as the formula.

#include "route/output_distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tensor/float16.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

template <typename T>
Tensor tensor(DataType dtype, Shape shape, const std::vector<T>& values, const std::string& name = "y") {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return {name, dtype, std::move(shape), {Bytes::copy_of(bytes)}};
}
Tensor floats(const std::vector<float>& values, Shape shape = {}) {
  if (shape.empty()) shape = {static_cast<int64_t>(values.size())};
  return tensor(DataType::kFp32, std::move(shape), values);
}
Tensor texts(const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) {
    const auto length = static_cast<uint32_t>(value.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length).append(value);
  }
  return {"y", DataType::kBytes, {static_cast<int64_t>(values.size())}, {Bytes::copy_of(bytes)}};
}

OutputComparison tolerance(double absolute, double relative) {
  return {.kind = ComparisonKind::kTolerance, .absolute = absolute, .relative = relative};
}
OutputComparison top(int64_t k) { return {.kind = ComparisonKind::kTopK, .k = k}; }
OutputComparison kl(double threshold, bool softmax = false) {
  return {.kind = ComparisonKind::kDistribution, .threshold = threshold, .softmax = softmax};
}
const OutputComparison kEqual{};

TEST(OutputDistance, OfNumbersIsTheLargestInWhatIsAllowed) {
  struct Case {
    std::vector<float> primary, shadow;
    double absolute, relative, distance;
  };
  const Case cases[] = {
      {{1, 2, 3}, {1, 2, 3}, 0, 0, 0},
      {{1, 2, 3}, {1, 2, 3.5F}, 0.25, 0, 2},  // 0.5 / 0.25
      {{0, 8}, {0, 9}, 0, 0.25, 0.5},         // 1 / (0.25 * 8)
      {{0, 8}, {0, 9}, 1, 0.125, 0.5},        // 1 / (1 + 0.125 * 8)
      {{8, 1}, {9, 1}, 0, 0.125, 1},          // at the limit, which agrees
      {{-8, 1}, {-12, 1}, 0, 0.25, 2},        // relative to the size
      {{0}, {1e-30F}, 0, 0.5, kInfinity},     // nothing is allowed at 0
      {{kNan, 1}, {kNan, 1}, 0.1, 0, 0},      // not a number on both sides
      {{kNan}, {1}, 0.1, 0, kInfinity},
      {{1}, {kNan}, 0.1, 0, kInfinity},
      {{kInf, -kInf}, {kInf, -kInf}, 0.1, 0.1, 0},
      {{kInf}, {-kInf}, 0.1, 0.1, kInfinity},
      {{kInf}, {3e38F}, 0.1, 0.1, kInfinity},
      {{}, {}, 0.1, 0.1, 0},
  };
  for (const Case& c : cases) {
    const auto shape = Shape{static_cast<int64_t>(c.primary.size())};
    const OutputDistance found =
        output_distance(floats(c.primary, shape), floats(c.shadow, shape), tolerance(c.absolute, c.relative));
    EXPECT_DOUBLE_EQ(found.distance, c.distance);
    EXPECT_EQ(found.disagrees(), c.distance > 1);
    EXPECT_EQ(found.excess(), found.distance) << "the limit is 1";
    EXPECT_EQ(found.problem, "");
  }
}

TEST(OutputDistance, ReadsEveryType) {
  const auto one = [](DataType dtype, auto a, auto b) {
    return output_distance(tensor(dtype, {1}, std::vector{a}), tensor(dtype, {1}, std::vector{b}), tolerance(2, 0))
        .distance;
  };
  EXPECT_EQ(one(DataType::kUint8, uint8_t{200}, uint8_t{201}), 0.5);
  EXPECT_EQ(one(DataType::kInt8, int8_t{-3}, int8_t{-2}), 0.5);
  EXPECT_EQ(one(DataType::kUint16, uint16_t{65'535}, uint16_t{65'534}), 0.5);
  EXPECT_EQ(one(DataType::kInt16, int16_t{-300}, int16_t{-301}), 0.5);
  EXPECT_EQ(one(DataType::kUint32, 4'000'000'000U, 4'000'000'001U), 0.5);
  EXPECT_EQ(one(DataType::kInt32, -5, -4), 0.5);
  EXPECT_EQ(one(DataType::kUint64, uint64_t{1} << 40, (uint64_t{1} << 40) + 1), 0.5);
  EXPECT_EQ(one(DataType::kInt64, int64_t{-7}, int64_t{-8}), 0.5);
  EXPECT_EQ(one(DataType::kFp64, 1.0, 2.0), 0.5);
  EXPECT_EQ(one(DataType::kFp16, float_to_half(1), float_to_half(2)), 0.5);
  EXPECT_EQ(one(DataType::kBf16, float_to_bfloat16(1), float_to_bfloat16(2)), 0.5);
  // Of two types of numbers, by what they are.
  EXPECT_EQ(output_distance(tensor(DataType::kFp32, {1}, std::vector{1.0F}),
                            tensor(DataType::kFp16, {1}, std::vector{float_to_half(1)}), tolerance(0, 0))
                .distance,
            0);
}

TEST(OutputDistance, EqualityIsTheShareThatDiffers) {
  EXPECT_EQ(output_distance(texts({"a", "", "ü"}), texts({"a", "", "ü"}), kEqual).distance, 0);
  const OutputDistance one = output_distance(texts({"a", "b", "c", "d"}), texts({"a", "b", "c", "D"}), kEqual);
  EXPECT_EQ(one.distance, 0.25);
  EXPECT_TRUE(one.disagrees());
  EXPECT_EQ(one.excess(), 1.25);
  EXPECT_EQ(output_distance(texts({"ab", "c"}), texts({"a", "bc"}), kEqual).distance, 1);
  // 2^53 and the next have the same double.
  const std::vector<int64_t> large{int64_t{1} << 53}, larger{(int64_t{1} << 53) + 1};
  EXPECT_EQ(
      output_distance(tensor(DataType::kInt64, {1}, large), tensor(DataType::kInt64, {1}, larger), kEqual).distance, 1);
  EXPECT_EQ(output_distance(floats({kNan, 0, 1}), floats({kNan, -0.0F, 1}), kEqual).distance, 0);
  EXPECT_FALSE(output_distance(texts({}), texts({}), kEqual).disagrees());
}

TEST(OutputDistance, TopKIsAboutSets) {
  const auto primary = floats({0.1F, 0.5F, 0.4F, 0.0F});
  EXPECT_EQ(output_distance(primary, floats({0, 9, 8, 1}), top(1)).distance, 0);
  EXPECT_EQ(output_distance(primary, floats({0, 8, 9, 1}), top(1)).distance, 1);
  EXPECT_EQ(output_distance(primary, floats({0, 8, 9, 1}), top(2)).distance, 0) << "the order among them is free";
  EXPECT_EQ(output_distance(primary, floats({9, 8, 0, 1}), top(2)).distance, 0.5);
  EXPECT_EQ(output_distance(primary, floats({9, 8, 0, 1}), top(100)).distance, 0) << "more than there are";
  EXPECT_EQ(output_distance(floats({1, 1, 0}), floats({1, 1, 0}), top(1)).distance, 0) << "of equal ones the first";
  EXPECT_EQ(output_distance(floats({1, 1, 0}), floats({1, 1.1F, 0}), top(1)).distance, 1);
  EXPECT_EQ(output_distance(floats({kNan, 1, 0}), floats({0, 1, kNan}), top(1)).distance, 0) << "NaN is the last";
  // Each row by itself; the worst counts.
  const auto rows = [](std::vector<float> values) { return floats(values, {2, 3}); };
  EXPECT_EQ(output_distance(rows({1, 0, 0, 0, 1, 0}), rows({2, 1, 0, 1, 0, 0}), top(1)).distance, 1);
  EXPECT_EQ(output_distance(rows({1, 0, 0, 0, 1, 0}), rows({2, 1, 0, 0, 3, 0}), top(1)).distance, 0);
  EXPECT_EQ(output_distance(floats({5}, {}), floats({6}, {}), top(1)).distance, 0);
  EXPECT_EQ(output_distance(floats({}, {2, 0}), floats({}, {2, 0}), top(3)).distance, 0);
}

TEST(OutputDistance, OfDistributionsIsKullbackAndLeiblers) {
  // sum(p * log(p / q))
  const double expected = 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75);
  const OutputDistance found = output_distance(floats({0.5F, 0.5F}), floats({0.25F, 0.75F}), kl(0.1));
  EXPECT_NEAR(found.distance, expected, 1e-12);
  EXPECT_TRUE(found.disagrees());
  EXPECT_NEAR(found.excess(), expected / 0.1, 1e-9);
  EXPECT_FALSE(output_distance(floats({0.5F, 0.5F}), floats({0.25F, 0.75F}), kl(0.2)).disagrees());
  // It is not symmetric, and the primary is p.
  EXPECT_NEAR(output_distance(floats({0.25F, 0.75F}), floats({0.5F, 0.5F}), kl(0.1)).distance,
              0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-12);
  EXPECT_EQ(output_distance(floats({0, 1}), floats({0, 1}), kl(0)).distance, 0);
  EXPECT_FALSE(output_distance(floats({0, 1}), floats({0, 1}), kl(0)).disagrees());
  EXPECT_NEAR(output_distance(floats({1, 0}), floats({0, 1}), kl(1)).distance, -std::log(1e-12), 1e-9);
  // Rows, of which the worst counts; float16 sums are scaled to 1.
  EXPECT_NEAR(output_distance(floats({1, 0, 0.5F, 0.5F}, {2, 2}), floats({1, 0, 0.25F, 0.75F}, {2, 2}), kl(1)).distance,
              expected, 1e-12);
  EXPECT_NEAR(output_distance(floats({0.5F, 0.5F}), floats({0.249F, 0.747F}), kl(1)).distance, expected, 1e-6);
  for (const auto& [primary, shadow, says] :
       {std::tuple{std::vector<float>{0.5F, 0.5F}, std::vector<float>{3, 4}, "the shadow's row 0"},
        {{-0.5F, 1.5F}, {0.5F, 0.5F}, "the primary's row 0 is no distribution"},
        {{0.5F, 0.5F}, {kNan, 0.5F}, "the shadow's row 0"}}) {
    const OutputDistance none = output_distance(floats(primary), floats(shadow), kl(1));
    EXPECT_EQ(none.distance, kInfinity);
    EXPECT_THAT(none.problem, HasSubstr(says));
  }
}

TEST(OutputDistance, LogitsBecomeDistributions) {
  // softmax([0, log 3]) = [1/4, 3/4]; what all of a row is moved by does not matter.
  const auto log3 = static_cast<float>(std::log(3.0));
  const OutputDistance found = output_distance(floats({1000, 1000}), floats({-5, -5 + log3}), kl(1, /*softmax=*/true));
  EXPECT_NEAR(found.distance, 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-6);
  EXPECT_EQ(output_distance(floats({-kInf, 0}), floats({-kInf, 7}), kl(0, true)).distance, 0);
  EXPECT_THAT(output_distance(floats({-kInf, -kInf}), floats({0, 0}), kl(0, true)).problem, HasSubstr("no softmax"));
  EXPECT_EQ(output_distance(floats({kInf, 0}), floats({0, 0}), kl(0, true)).distance, kInfinity);
}

TEST(OutputDistance, WhatCantBeComparedDisagrees) {
  for (const auto& [a, b, comparison, says] :
       {std::tuple{floats({1, 2}), floats({1, 2, 3}), tolerance(9, 9), "the shadow's shape is [3], the primary's [2]"},
        {floats({1, 2}, {1, 2}), floats({1, 2}, {2, 1}), kEqual, "the shadow's shape is [2,1]"},
        {floats({1}), texts({"1"}), kEqual, "the shadow's type is BYTES, the primary's FP32"},
        {texts({"1"}), texts({"1"}), top(1), "texts are compared by equal, not by top_k"},
        {floats({1}, {2}), floats({1, 2}, {2}), tolerance(1, 1), "do not fit"}}) {
    const OutputDistance found = output_distance(a, b, comparison);
    EXPECT_EQ(found.distance, kInfinity);
    EXPECT_EQ(found.excess(), kInfinity);
    EXPECT_TRUE(found.disagrees());
    EXPECT_THAT(found.problem, HasSubstr(says));
  }
}

TEST(AnswerDistance, IsThatOfTheWorstOutput) {
  std::vector<Tensor> primary{floats({1, 2}), texts({"a", "b"})}, shadow{texts({"a", "c"}), floats({1, 2.004F})};
  primary[1].name = shadow[0].name = "label";
  const auto worst = [&](const std::map<std::string, OutputComparison>& rules) {
    return answer_distance(primary, shadow, rules);
  };
  // By default: the tolerance of FP32 is 1e-5 + 1e-3 * 2, texts are equal. 0.004 is twice that, "c" is half of the
  // texts.
  OutputDistance found = worst({});
  EXPECT_EQ(found.output, "y");
  EXPECT_EQ(found.kind, ComparisonKind::kTolerance);
  EXPECT_NEAR(found.distance, 0.004 / 0.00201, 1e-3);
  EXPECT_EQ(worst({{"y", tolerance(1, 0)}}).output, "label");
  EXPECT_EQ(worst({{"*", kEqual}, {"y", tolerance(1, 0)}}).excess(), 1.5);
  EXPECT_EQ(worst({{"*", top(1)}}).output, "label") << "texts have no order";
  shadow.pop_back();
  found = worst({});
  EXPECT_EQ(found.problem, "the shadow does not have it");
  EXPECT_EQ(found.output, "y");
  EXPECT_FALSE(answer_distance({}, shadow, {}).disagrees()) << "what only the shadow has does not count";
}

TEST(AnswerDistance, OfTwoTypesTheCoarserTolerance) {
  const std::vector<Tensor> primary{floats({1})};
  const auto half = [](float value) {
    return std::vector<Tensor>{tensor(DataType::kFp16, {1}, std::vector{float_to_half(value)})};
  };
  EXPECT_FALSE(answer_distance(primary, half(1.005F), {}).disagrees());
  EXPECT_TRUE(answer_distance(primary, half(1.05F), {}).disagrees());
  EXPECT_TRUE(answer_distance(primary, std::vector<Tensor>{floats({1.005F})}, {}).disagrees());
}

}  // namespace
}  // namespace modelmill
