#include "dialect/float_array.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace modelmill {
namespace {

/// The floats of a list, or nothing when it is none. The text ends with its bracket and nothing is behind it, so that
/// a sanitizer sees a read too far.
std::optional<std::vector<float>> read(const std::string& list) {
  const std::vector<char> text = [&] {
    std::vector<char> all(list.begin(), list.end());
    all.push_back(']');
    return all;
  }();
  const auto array = read_float_array({text.data(), list.size()});
  if (!array) return std::nullopt;
  std::vector<float> floats(static_cast<size_t>(array->count));
  EXPECT_EQ(array->floats.size(), floats.size() * sizeof(float));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(array->floats.data()) % kAlignment, 0U);
  std::memcpy(floats.data(), array->floats.data(), array->floats.size());
  return floats;
}

using Floats = std::vector<float>;

TEST(FloatArray, ReadsNumbersAndSpaces) {
  EXPECT_EQ(read("0.5"), Floats{0.5F});
  EXPECT_EQ(read(" 1 ,-2.25\n,\t3e2,0.0,-0.0, 1E-3 ,0.10000000000000000000001 "),
            (Floats{1, -2.25F, 300, 0, -0.0F, 1e-3F, 0.1F}));
  EXPECT_EQ(read("12345678.5,123456789012345678901234567890.0"),
            (Floats{12345678.5F, 123456789012345678901234567890.0F}));
}

TEST(FloatArray, RefusesWhatIsNoListOfJsonNumbers) {
  for (const char* list :
       {"",         " ",       ",",  "1,",    ",1",    "1,,2",      "1 2",       "01",    "-01",    "-",
        "+1",       ".5",      "1.", "1.e3",  "1e",    "1e+",       "--1",       "0x1",   "1.5f",   "NaN",
        "Infinity", "\"1\"",   "[1", "1,[2]", "[1],2", "[1],[2,3]", "[1],[[2]]", "[]",    "[1],[]", "[1],",
        "[1]]",     "[1];[2]", "{}", "null",  "1e40",  "1e-60",     "1;2",       "1.5.5", "00.5"})
    EXPECT_FALSE(read(list)) << list;
}

TEST(FloatArray, ReadsArraysInArrays) {
  const auto shape = [](const std::string& list) {
    const std::string text = list + "]";
    const auto array = read_float_array(std::string_view(text).substr(0, list.size()));
    return array ? shape_text(dims(array->shape)) : "none";
  };
  EXPECT_EQ(read("[1, 2] ,\n[3,4.5]"), (Floats{1, 2, 3, 4.5F}));
  EXPECT_EQ(read("[ [[1]] , [[-2e1]] ]"), (Floats{1, -20}));
  EXPECT_EQ(shape("1,2,3"), "[3]");
  EXPECT_EQ(shape("[1,2],[3,4],[5,6]"), "[3,2]");
  EXPECT_EQ(shape("[[1],[2]]"), "[1,2,1]");
  EXPECT_EQ(shape(std::string(kMaxRank - 1, '[') + "1" + std::string(kMaxRank - 1, ']')).size(), 2 * kMaxRank + 1);
  EXPECT_EQ(shape(std::string(kMaxRank, '[') + "1" + std::string(kMaxRank, ']')), "none");
}

TEST(FloatArray, LeavesLongListsOfWholeNumbers) {
  std::string whole = "1";
  for (int i = 0; i < 1000; ++i) whole += ",17";
  EXPECT_FALSE(read(whole));
  EXPECT_TRUE(read("0.5," + whole));
}

/// Whatever its notation and its length, a number becomes the float that is nearest to it.
TEST(FloatArray, RoundsAsTheLibrary) {
  std::mt19937_64 random(11);
  std::string list;
  Floats expected;
  const auto add = [&](const std::string& text) {
    float value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return;
    list += (list.empty() ? "" : ", ") + text;
    expected.push_back(value);
  };
  char text[64];
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!(std::abs(value) < 1e30F)) continue;
    add({text, std::to_chars(text, text + sizeof text, static_cast<double>(value)).ptr});
    add({text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr});
    // Between two floats, where a step in the last digit decides.
    const double middle = (static_cast<double>(value) + static_cast<double>(std::nextafter(value, 1e30F))) / 2;
    for (const double near : {middle, std::nextafter(middle, 1e300), std::nextafter(middle, -1e300)})
      if (std::abs(near) > 1e-6 && std::abs(near) < 1e6)
        add({text, std::to_chars(text, text + sizeof text, near, std::chars_format::fixed).ptr});
    add(std::to_string(static_cast<double>(random() % 1'000'000) / 1000));
  }
  const auto got = read(list);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>((*got)[i]), std::bit_cast<uint32_t>(expected[i])) << i;
}

}  // namespace
}  // namespace modelmill
