#include "route/function_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "model/route_definition.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

Tensor of_bytes(const std::string& name, DataType dtype, Shape shape, std::string_view bytes) {
  return {name, dtype, std::move(shape), {Bytes::copy_of(bytes)}};
}
Tensor measure(const std::string& name, double value) {
  return of_bytes(name, DataType::kFp64, {}, {reinterpret_cast<const char*>(&value), sizeof value});
}
Tensor reason(const std::string& text) {
  const auto length = static_cast<uint32_t>(text.size());
  return of_bytes("why", DataType::kBytes, {}, std::string(reinterpret_cast<const char*>(&length), 4) + text);
}

/// The bytes of the n-th tensor of a side, as its reader finds them.
std::string_view bytes_of(const Tensor& packed, const char* side, size_t n, std::string& about) {
  const std::string_view all = packed.data[0].view();
  uint32_t length = 0;
  std::memcpy(&length, all.data(), sizeof length);
  const std::string head(all.substr(4, length));
  simdjson::dom::parser parser;
  const simdjson::dom::element place = parser.parse(head)[side].at(n);
  about = simdjson::minify(place);
  const size_t begin = (4 + length + 63) / 64 * 64;
  return all.substr(begin + place["at"].get_uint64().value(), place["size"].get_uint64().value());
}

TEST(FunctionComparison, BothAnswersAndTheInputsAreOneTensor) {
  Tensor split = of_bytes("y", DataType::kFp32, {1, 2}, "abcd");
  split.data.push_back(Bytes::copy_of("efgh"));
  const std::vector<Tensor> primary{split, of_bytes("n", DataType::kInt8, {0}, "")};
  const std::vector<Tensor> shadow{of_bytes("y", DataType::kFp32, {1, 2}, "ijklmnop")};
  const std::vector<Tensor> inputs{of_bytes("the \"x\"", DataType::kUint8, {3}, "qrs"),
                                   of_bytes("t", DataType::kBytes, {1}, std::string("\1\0\0\0z", 5))};
  const Tensor packed = packed_comparison(primary, shadow, inputs);
  EXPECT_EQ(packed.name, "comparison");
  EXPECT_EQ(packed.dtype, DataType::kUint8);
  EXPECT_TRUE(check_tensor_bytes(packed).ok());
  std::string about;
  EXPECT_EQ(bytes_of(packed, "primary", 0, about), "abcdefgh");
  EXPECT_THAT(about, HasSubstr(R"("name":"y","dtype":"FP32","shape":[1,2])"));
  EXPECT_EQ(bytes_of(packed, "primary", 1, about), "");
  EXPECT_EQ(bytes_of(packed, "shadow", 0, about), "ijklmnop");
  EXPECT_EQ(bytes_of(packed, "inputs", 0, about), "qrs");
  EXPECT_THAT(about, HasSubstr(R"("name":"the \"x\"")"));
  EXPECT_EQ(bytes_of(packed, "inputs", 1, about), std::string_view("\1\0\0\0z", 5));
  EXPECT_TRUE(check_tensor_bytes(packed_comparison({}, {}, {})).ok());
}

TEST(FunctionComparison, IsAskedForTheOutputsThatItsRulesName) {
  const auto asks = [](const char* rules, const std::string& output) {
    const std::vector<Tensor> primary{of_bytes(output, DataType::kInt8, {1}, "a")};
    return asks_function(primary, parse_comparisons(rules).value());
  };
  EXPECT_TRUE(asks(R"({"*": {"kind": "function", "model": "f"}})", "y"));
  EXPECT_TRUE(asks(R"({"y": {"kind": "function", "model": "f"}})", "y"));
  EXPECT_FALSE(asks(R"({"y": {"kind": "function", "model": "f"}})", "z"));
  EXPECT_FALSE(asks(R"({"*": {"kind": "function", "model": "f"}, "y": {"kind": "equal"}})", "y"));
  EXPECT_FALSE(asks("{}", "y"));
}

TEST(FunctionComparison, OutputsOfBothAreLeftToTheFunction) {
  const auto rules = parse_comparisons(R"({"*": {"kind": "function", "model": "f"}, "n": {"kind": "equal"}})").value();
  const Tensor y = of_bytes("y", DataType::kInt8, {1}, "a"), other = of_bytes("y", DataType::kInt8, {2}, "bc");
  const Tensor n = of_bytes("n", DataType::kInt8, {1}, "a");
  EXPECT_FALSE(answer_distance(std::vector{y}, std::vector{other}, rules).disagrees());
  EXPECT_TRUE(answer_distance(std::vector{y}, {}, rules).disagrees()) << "the shadow has to have it";
  EXPECT_FALSE(answer_distance(std::vector{y, n}, std::vector{other, n}, rules).disagrees());
  const Tensor wrong = of_bytes("n", DataType::kInt8, {1}, "b");
  EXPECT_EQ(answer_distance(std::vector{y, n}, std::vector{other, wrong}, rules).output, "n");
}

TEST(FunctionComparison, SaysHowFarTheAnswersAre) {
  const auto near = function_distance(std::vector{measure("distance", 0.25), measure("limit", 0.5), reason("")});
  ASSERT_TRUE(near.ok()) << near.status().message();
  EXPECT_FALSE(near->disagrees());
  EXPECT_EQ(near->excess(), 0.5);
  EXPECT_EQ(near->kind, ComparisonKind::kFunction);
  EXPECT_EQ(near->output, "");
  const auto far = function_distance(
      std::vector{reason(std::string(5'000, 'x')), measure("limit", 0), measure("distance", INFINITY)});
  ASSERT_TRUE(far.ok());
  EXPECT_TRUE(far->disagrees());
  EXPECT_EQ(far->problem, std::string(512, 'x'));
}

TEST(FunctionComparison, WhatIsNoVerdictIsAnError) {
  const auto wrong = [](const std::vector<Tensor>& outputs) {
    const auto said = function_distance(outputs);
    return said.ok() ? "" : said.status().message();
  };
  EXPECT_THAT(wrong({}), HasSubstr("no output 'distance' of one FP64"));
  EXPECT_THAT(wrong({measure("distance", 1)}), HasSubstr("no output 'limit'"));
  EXPECT_THAT(wrong({measure("distance", -1), measure("limit", 1)}), HasSubstr("'distance' is -1"));
  EXPECT_THAT(wrong({measure("distance", NAN), measure("limit", 1)}), HasSubstr("'distance' is NaN"));
  EXPECT_THAT(wrong({measure("distance", 1), measure("limit", INFINITY)}), HasSubstr("'limit' is Infinity"));
  EXPECT_THAT(wrong({of_bytes("distance", DataType::kFp64, {2}, std::string(16, '\0')), measure("limit", 1)}),
              HasSubstr("no output 'distance'"));
  EXPECT_THAT(wrong({of_bytes("distance", DataType::kInt64, {}, std::string(8, '\0')), measure("limit", 1)}),
              HasSubstr("no output 'distance'"));
}

}  // namespace
}  // namespace modelmill
