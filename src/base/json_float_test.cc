#include "base/json_float.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace modelmill {
namespace {

std::string written(float value) {
  char text[kJsonFloatRoom];
  return {text, write_json_float(text, value)};
}

/// What the library writes, as a JSON number that is no whole one.
std::string expected(float value) {
  char text[kJsonFloatRoom];
  std::string out(text, std::to_chars(text, text + sizeof text, value).ptr);
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

TEST(JsonFloat, Examples) {
  EXPECT_EQ(written(0), "0.0");
  EXPECT_EQ(written(-0.0F), "-0.0");
  EXPECT_EQ(written(1), "1.0");
  EXPECT_EQ(written(-30000), "-30000.0");
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(0.001F), "0.001");
  EXPECT_EQ(written(-12.625F), "-12.625");
  EXPECT_EQ(written(1e-5F), "1e-05");
  EXPECT_EQ(written(3.4028235e38F), "3.4028235e+38");
  EXPECT_EQ(written(std::nanf("")), "NaN");
  EXPECT_EQ(written(-std::numeric_limits<float>::infinity()), "-Infinity");
}

TEST(JsonFloat, AsTheLibraryForEveryExponent) {
  std::mt19937 random(7);
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (int i = 0; i < 2000; ++i) {
      // The ends of each binade, where the neighbours' distances differ, and what lies between.
      const auto fraction = static_cast<uint32_t>(i < 8 ? i : i < 16 ? 0x7FFFFF - (i - 8) : random() & 0x7FFFFF);
      const auto value = std::bit_cast<float>(static_cast<uint32_t>(random() << 31) | exponent << 23 | fraction);
      ASSERT_EQ(written(value), expected(value)) << "exponent " << exponent << ", fraction " << fraction;
    }
  }
}

TEST(JsonFloat, AsTheLibraryForShortDecimals) {
  for (int i = -100'000; i <= 100'000; ++i)
    for (const float divisor : {1.0F, 4.0F, 10.0F, 1000.0F, 65536.0F})
      ASSERT_EQ(written(static_cast<float>(i) / divisor), expected(static_cast<float>(i) / divisor));
}

}  // namespace
}  // namespace modelmill
