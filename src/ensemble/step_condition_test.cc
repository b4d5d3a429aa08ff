#include "ensemble/step_condition.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "ensemble/testing/fake_members.h"

namespace modelmill {
namespace {

using Compare = StepCondition::Test;
using Reduction = StepCondition::Reduction;
using testing::floats;

StepCondition number(Compare test, double value, Reduction reduction = Reduction::kAll) {
  return {"t", test, value, "", false, reduction};
}

bool holds(const StepCondition& condition, const Tensor& tensor) { return condition_holds(condition, &tensor).value(); }

TEST(StepConditionTest, ComparesOneNumber) {
  struct Row {
    Compare test;
    bool below, same, above;
  };
  for (const Row& row : {Row{Compare::kAbove, false, false, true}, Row{Compare::kAtLeast, false, true, true},
                         Row{Compare::kBelow, true, false, false}, Row{Compare::kAtMost, true, true, false},
                         Row{Compare::kEquals, false, true, false}, Row{Compare::kDiffers, true, false, true}}) {
    EXPECT_EQ(holds(number(row.test, 2), floats("t", {1})), row.below) << test_name(row.test);
    EXPECT_EQ(holds(number(row.test, 2), floats("t", {2})), row.same) << test_name(row.test);
    EXPECT_EQ(holds(number(row.test, 2), floats("t", {3})), row.above) << test_name(row.test);
  }
}

TEST(StepConditionTest, OfManyAllOrAny) {
  EXPECT_TRUE(holds(number(Compare::kAbove, 0), floats("t", {1, 2})));
  EXPECT_FALSE(holds(number(Compare::kAbove, 0), floats("t", {1, -2})));
  EXPECT_TRUE(holds(number(Compare::kAbove, 0, Reduction::kAny), floats("t", {-1, 2})));
  EXPECT_FALSE(holds(number(Compare::kAbove, 0, Reduction::kAny), floats("t", {-1, -2})));
}

TEST(StepConditionTest, NothingIsTrueOfNothing) {
  EXPECT_FALSE(condition_holds(number(Compare::kDiffers, 0), nullptr).value());
  EXPECT_FALSE(holds(number(Compare::kDiffers, 0), floats("t", {})));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(holds(number(Compare::kAbove, 0), floats("t", {nan})));
  EXPECT_FALSE(holds(number(Compare::kAtMost, 0), floats("t", {nan})));
  EXPECT_TRUE(holds(number(Compare::kDiffers, 0), floats("t", {nan})));
}

template <typename T>
Tensor one(DataType dtype, T value) {
  return {"t", dtype, {1}, {Bytes::copy_of(std::string(reinterpret_cast<const char*>(&value), sizeof value))}};
}

TEST(StepConditionTest, KnowsAllTypes) {
  EXPECT_TRUE(holds(number(Compare::kEquals, 1), one<uint8_t>(DataType::kBool, 1)));
  EXPECT_TRUE(holds(number(Compare::kEquals, -3), one<int8_t>(DataType::kInt8, -3)));
  EXPECT_TRUE(holds(number(Compare::kEquals, 200), one<uint8_t>(DataType::kUint8, 200)));
  EXPECT_TRUE(holds(number(Compare::kEquals, -300), one<int16_t>(DataType::kInt16, -300)));
  EXPECT_TRUE(holds(number(Compare::kEquals, 40'000), one<uint16_t>(DataType::kUint16, 40'000)));
  EXPECT_TRUE(holds(number(Compare::kEquals, -70'000), one<int32_t>(DataType::kInt32, -70'000)));
  EXPECT_TRUE(holds(number(Compare::kAbove, 4e9), one<uint32_t>(DataType::kUint32, 4'100'000'000U)));
  EXPECT_TRUE(holds(number(Compare::kBelow, -4e9), one<int64_t>(DataType::kInt64, -5'000'000'000)));
  EXPECT_TRUE(holds(number(Compare::kAbove, 1e19), one<uint64_t>(DataType::kUint64, ~uint64_t{0})));
  EXPECT_TRUE(holds(number(Compare::kEquals, 0.1), one<double>(DataType::kFp64, 0.1)));
  EXPECT_TRUE(holds(number(Compare::kEquals, 1.5), one<uint16_t>(DataType::kFp16, 0x3E00)));
  EXPECT_TRUE(holds(number(Compare::kEquals, 1.5), one<uint16_t>(DataType::kBf16, 0x3FC0)));
}

TEST(StepConditionTest, NumbersAreThoseOfTheTensorsType) {
  EXPECT_TRUE(holds(number(Compare::kEquals, 0.1), floats("t", {0.1F})));
  EXPECT_FALSE(holds(number(Compare::kDiffers, 0.1), floats("t", {0.1F})));
  EXPECT_TRUE(holds(number(Compare::kAtLeast, 0.9), floats("t", {0.9F})));
  EXPECT_TRUE(holds(number(Compare::kAtMost, 0.1), floats("t", {0.1F})));
  EXPECT_TRUE(holds(number(Compare::kEquals, 0.1), one<uint16_t>(DataType::kFp16, 0x2E66)));
  EXPECT_TRUE(holds(number(Compare::kEquals, 0.1), one<uint16_t>(DataType::kBf16, 0x3DCD)));
  EXPECT_FALSE(holds(number(Compare::kEquals, 0.1), one<double>(DataType::kFp64, 0.1F)));
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(holds(number(Compare::kEquals, 1e300), floats("t", {infinity}))) << "it goes beyond the type";
  EXPECT_TRUE(holds(number(Compare::kAbove, 1e5), one<uint16_t>(DataType::kFp16, 0x7C00)));
}

TEST(StepConditionTest, ComparesTexts) {
  const StepCondition german{"t", Compare::kEquals, 0, "de", true, Reduction::kAll};
  const auto texts = [](const std::string& bytes, int64_t count) {
    return Tensor{"t", DataType::kBytes, {count}, {Bytes::copy_of(bytes)}};
  };
  const std::string de("\2\0\0\0de", 6), en("\2\0\0\0en", 6);
  EXPECT_TRUE(holds(german, texts(de, 1)));
  EXPECT_FALSE(holds(german, texts(de + en, 2)));
  StepCondition other = german;
  other.test = Compare::kDiffers;
  other.reduction = Reduction::kAny;
  EXPECT_TRUE(holds(other, texts(de + en, 2)));
  const Tensor broken = texts(de.substr(0, 5), 1);
  EXPECT_FALSE(condition_holds(german, &broken).ok());
}

}  // namespace
}  // namespace modelmill
