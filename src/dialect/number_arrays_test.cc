#include "dialect/number_arrays.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dialect/json_input.h"
#include "dialect/json_shape.h"

namespace modelmill {
namespace {

/// `count` numbers, separated by commas.
std::string numbers(int count, const char* number = "-0.25") {
  std::string out = number;
  for (int i = 1; i < count; ++i) out += std::string(", ") + number;
  return out;
}

size_t set_aside(const std::string& text) {
  const NumberArrays apart(text);
  size_t marks = 0;
  for (size_t at = 0; (at = apart.rest().find("\\u0001", at)) != std::string::npos; ++at) ++marks;
  return apart.empty() ? 0 : marks;
}

TEST(NumberArrays, LargeOnesAreSetAside) {
  EXPECT_EQ(set_aside("[" + numbers(2000) + "]"), 1U);
  EXPECT_EQ(set_aside(R"({"a":[1,2],"b":[)" + numbers(2000) + R"(],"c":[)" + numbers(2000) + "]}"), 2U);
  const std::string text = R"({"a":[)" + numbers(2000) + R"(],"b":true})";
  EXPECT_EQ(NumberArrays(text).rest(), R"({"a":["\u00010"],"b":true})");
}

std::string rows(int count, const std::string& row) {
  std::string out = "[" + row + "]";
  for (int i = 1; i < count; ++i) out += " ,[" + row + "]";
  return "[" + out + "]";
}

TEST(NumberArrays, ArraysInArraysAreOne) {
  const std::string text = R"({"a":)" + rows(500, numbers(3)) + R"(,"b":[0.5]})";
  EXPECT_EQ(NumberArrays(text).rest(), R"({"a":["\u00010"],"b":[0.5]})");
  EXPECT_EQ(set_aside(rows(900, "0.5") + rows(900, "0.25")), 2U) << "one behind the other";
  EXPECT_EQ(set_aside("[" + rows(300, numbers(3)) + "," + rows(300, numbers(3)) + "]"), 1U) << "three deep";
  EXPECT_EQ(set_aside("[" + rows(300, numbers(3)) + "," + rows(301, numbers(3)) + "]"), 2U) << "of different lengths";
  EXPECT_EQ(set_aside("[[" + numbers(2000) + "],[0.5]]"), 1U) << "the first one, which is large";
  EXPECT_EQ(set_aside(rows(900, "7")), 0U) << "whole numbers";
  EXPECT_EQ(set_aside(rows(500, "\"[0.5]\"")), 0U) << "strings";
  EXPECT_EQ(set_aside("[" + rows(500, numbers(3))), 1U) << "the outer one does not end";
  EXPECT_EQ(set_aside(rows(500, numbers(3)).substr(1)), 0U) << "it does not begin";
}

TEST(NumberArrays, ArePutBack) {
  std::string inner;
  for (const char* number : {"-0.25", "1.5", "2.75"}) inner += "[" + numbers(2000, number) + R"(],"between",)";
  const std::string text = R"({"p":[)" + inner + R"("[\"behind\"]"],"q":[0.5]})";
  const NumberArrays apart(text);
  ASSERT_FALSE(apart.empty());
  EXPECT_EQ(apart.restored(apart.rest()), text);
  EXPECT_EQ(apart.restored(R"({"q":[0.5]})"), R"({"q":[0.5]})") << "a part without any";
  EXPECT_EQ(apart.restored(R"(["\u00019"] and on)"), R"(["\u00019"] and on)") << "there is none of this number";
  EXPECT_EQ(NumberArrays("{}").restored("{}"), "{}");
}

/// The shape of `data` with and without arrays set aside, or what is wrong with it.
std::string shape_of(const std::string& data, bool apart) {
  const NumberArrays numbers_apart(data);
  EXPECT_FALSE(numbers_apart.empty()) << data.substr(0, 60);
  const std::string& text = apart ? numbers_apart.rest() : data;
  simdjson::dom::parser parser;
  Shape shape;
  const Status status = json_shape(*parse_json(parser, text, text.size()), apart ? &numbers_apart : nullptr, shape);
  return status.ok() ? shape_text(dims(shape)) : status.message();
}

TEST(NumberArrays, ShapesAreTheSame) {
  const std::string small = rows(2, numbers(3)), large = rows(400, numbers(3)), row = "[" + numbers(2000) + "]";
  for (const std::string& data : {
           large,
           "[" + large + "]",
           "[" + large + "," + large + "]",
           "[" + large + "," + small + "]",
           "[" + small + "," + large + "]",
           "[" + large + ",0.5]",
           "[0.5," + large + "]",
           "[" + large + "," + row + "]",
           "[" + row + "," + large + "]",
           "[" + row + ",[0.5]]",
           "[[[0.5]]," + large + "]",
       })
    EXPECT_EQ(shape_of(data, true), shape_of(data, false));
}

TEST(NumberArrays, AllElseStays) {
  EXPECT_EQ(set_aside("[" + numbers(20) + "]"), 0U) << "small";
  EXPECT_EQ(set_aside("[" + numbers(2000, "7") + "]"), 0U) << "whole numbers";
  EXPECT_EQ(set_aside("[" + numbers(2000) + ",\"a\"]"), 0U);
  EXPECT_EQ(set_aside("[" + numbers(2000)), 0U) << "it does not end";
  EXPECT_EQ(set_aside(R"({"a":"\"[)" + numbers(2000) + R"(]"})"), 0U) << "inside a string";
  EXPECT_EQ(set_aside(R"({"a":"\\","b":[)" + numbers(2000) + R"(]})"), 1U) << "behind a string";
  EXPECT_EQ(set_aside(R"({"a":"\u00010","b":[)" + numbers(2000) + R"(]})"), 0U) << "the text has a mark of its own";
  EXPECT_EQ(set_aside("\"[" + numbers(2000) + "]\""), 0U) << "all a string";
  EXPECT_EQ(set_aside(std::string(100'000, '[') + "0.5]"), 0U);
  std::string strings = "[\"s\"";
  for (int i = 0; i < 10'000; ++i) strings += ",\"s\"";
  EXPECT_EQ(set_aside("[" + strings + "],[" + numbers(2000) + "]]"), 0U) << "behind very many strings";
}

/// Reads `data` with and without arrays set aside.
void expect_same(const std::string& data, DataType dtype, int64_t count) {
  const std::string text = R"({"data":)" + data + "}";
  const NumberArrays apart(text);
  ASSERT_FALSE(apart.empty()) << text.substr(0, 60);
  simdjson::dom::parser whole_parser, rest_parser;
  const auto whole = parse_json(whole_parser, text, text.size());
  const auto rest = parse_json(rest_parser, apart.rest(), apart.rest().size());
  ASSERT_TRUE(whole.ok() && rest.ok());
  const auto expected = read_json_elements((*whole)["data"], dtype, count, JsonNumbers::kExact);
  const auto got = read_json_elements((*rest)["data"], dtype, count, JsonNumbers::kExact, &apart);
  EXPECT_EQ(got.status().code(), expected.status().code());
  EXPECT_EQ(got.status().message(), expected.status().message());
  if (got.ok() && expected.ok()) {
    EXPECT_EQ(got->view(), expected->view());
  }
}

TEST(NumberArrays, ElementsAreTheSame) {
  const std::string row = "[" + numbers(2000, "1.5") + "]";
  for (const DataType dtype : {DataType::kFp32, DataType::kFp64, DataType::kInt32, DataType::kBool, DataType::kBytes}) {
    expect_same(row, dtype, 2000);
    expect_same("[" + row + "," + row + "]", dtype, 4000);
    expect_same("[[0.5,0.25]," + row + "]", dtype, 2002);
    expect_same("[[0.5," + row + "]]", dtype, 2001);
    expect_same(rows(700, "0.5,1"), dtype, 1400);
    expect_same("[" + rows(700, "0.5,1") + "," + rows(600, "0.5,1") + "]", dtype, 2600);
  }
}

TEST(NumberArrays, WrongCountsAreTold) {
  const std::string row = "[" + numbers(6000, "1.5") + "]";
  for (const DataType dtype : {DataType::kFp32, DataType::kFp64})
    for (const int64_t count : {5000, 7000, 12'001}) expect_same("[" + row + "," + row + "]", dtype, count);
  for (const int64_t count : {4999, 6001}) expect_same(row, DataType::kFp32, count);
  expect_same(row, DataType::kFp32, 100);
}

}  // namespace
}  // namespace modelmill
