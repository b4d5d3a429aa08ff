#include "cli/verify/answer_difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ClientReply json(const std::string& body, int status = 200) {
  return {status, {{"content-type", "application/json"}}, body};
}

/// "PLACE: EXPECTED / GOT" of each.
std::vector<std::string> texts(const AnswerDifferences& differences) {
  std::vector<std::string> out;
  for (const AnswerDifference& one : differences.first)
    out.push_back(one.place + ": " + one.expected + " / " + one.got);
  return out;
}

std::vector<std::string> compared(const std::string& expected, const std::string& got, ComparisonRules rules = {}) {
  return texts(compare_answers("/x", json(expected), json(got), std::move(rules)));
}

/// An answer of the V2 protocol with one binary output.
ClientReply binary(const std::string& datatype, const std::string& bytes, int64_t elements) {
  const std::string head = R"({"model_name":"m","outputs":[{"name":"y","datatype":")" + datatype + R"(","shape":[)" +
                           std::to_string(elements) + R"(],"parameters":{"binary_data_size":)" +
                           std::to_string(bytes.size()) + "}}]}";
  return {
      200,
      {{"content-type", "application/octet-stream"}, {"inference-header-content-length", std::to_string(head.size())}},
      head + bytes};
}

template <typename T>
std::string packed(const std::vector<T>& values) {
  std::string out(values.size() * sizeof(T), '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

TEST(AnswerDifference, NumbersWithFractionsMayDifferALittle) {
  EXPECT_THAT(compared("{\"a\": [1.0, 1000.5]}", "{\"a\": [1.000001, 1000.501]}"), IsEmpty());
  EXPECT_THAT(compared("{\"a\": [1.0, 2.5]}", "{\"a\": [1, 2.6]}"), ElementsAre("a[1]: 2.5 / 2.6"));
  EXPECT_THAT(compared("{\"a\": 0.1}", "{\"a\": 0.2}", {0.2, {}}), IsEmpty());
}

TEST(AnswerDifference, WholeNumbersAreEqualOrNot) {
  EXPECT_THAT(compared("{\"a\": 10000000}", "{\"a\": 10000001}"), ElementsAre("a: 10000000 / 10000001"));
  EXPECT_THAT(compared("{\"a\": 18446744073709551615}", "{\"a\": 18446744073709551615}"), IsEmpty());
}

TEST(AnswerDifference, MembersHaveNoOrderAndAreAllThere) {
  EXPECT_THAT(compared("{\"a\": 1, \"b\": [true, null]}", "{\"b\": [true, null], \"a\": 1}"), IsEmpty());
  EXPECT_THAT(compared("{\"a\": 1, \"b\": \"x\"}", "{\"a\": \"1\", \"c\": []}"),
              ElementsAre("a: 1 / \"1\"", "b: \"x\" / nothing", "c: nothing / []"));
  EXPECT_THAT(compared("[1, 2, 3]", "[1, 4]"), ElementsAre("[1]: 2 / 4", "body: 3 elements / 2 elements"));
}

TEST(AnswerDifference, NamedElementsAreMatchedByName) {
  EXPECT_THAT(compared(R"({"outputs": [{"name": "a", "data": [1]}, {"name": "b", "data": [2]}]})",
                       R"({"outputs": [{"name": "b", "data": [3]}, {"name": "a", "data": [1]}]})"),
              ElementsAre("outputs[b].data[0]: 2 / 3"));
}

TEST(AnswerDifference, IdsAndIgnoredPlacesMayDiffer) {
  EXPECT_THAT(compared("{\"id\": \"1\", \"a\": {\"id\": 1}}", "{\"id\": \"2\", \"a\": {\"id\": 2}}"),
              ElementsAre("a.id: 1 / 2"));
  EXPECT_THAT(compared("{\"a\": [{\"b\": 1}, {\"b\": 2}]}", "{\"a\": [{\"b\": 3}, {}]}", {1e-5, {"a[*].b"}}),
              IsEmpty());
}

TEST(AnswerDifference, OfErrorsTheWordsMayDiffer) {
  const auto compare = [](const ClientReply& a, const ClientReply& b) {
    return texts(compare_answers("/x", a, b, {}));
  };
  EXPECT_THAT(compare(json("{\"error\": \"no\"}", 400), json("{\"error\": \"it is not\"}", 400)), IsEmpty());
  EXPECT_THAT(compare(json("{\"error\": \"no\"}"), json("{\"error\": \"yes\"}")),
              ElementsAre("error: \"no\" / \"yes\""));
  EXPECT_THAT(compare(json("{}"), json("{\"error\": \"no\"}", 404)),
              ElementsAre("status: 200 / 404 {\"error\": \"no\"}"));
}

TEST(AnswerDifference, ServersHaveNames) {
  const ClientReply triton = json("{\"name\": \"triton\", \"version\": \"2\", \"extensions\": []}");
  const ClientReply ours = json("{\"name\": \"modelmill\", \"version\": \"1\", \"extensions\": [\"x\"]}");
  EXPECT_EQ(compare_answers("/v2?x=1", triton, ours, {}).count, 0u);
  EXPECT_EQ(compare_answers("/v2/models/m", triton, ours, {}).count, 3u);
}

TEST(AnswerDifference, OtherBodiesAreBytes) {
  const ClientReply a{200, {{"content-type", "text/plain; charset=utf-8"}}, "abc"};
  ClientReply b{200, {{"content-type", "Text/Plain"}}, "abc"};
  EXPECT_EQ(compare_answers("/x", a, b, {}).count, 0u);
  b.body = "abd";
  EXPECT_THAT(texts(compare_answers("/x", a, b, {})), ElementsAre("body, at 2: byte 99 / byte 100"));
  b = json("abc");
  EXPECT_THAT(texts(compare_answers("/x", a, b, {})), ElementsAre("content-type: text/plain / application/json"));
}

TEST(AnswerDifference, BinaryTensorsByTheirNumbers) {
  const auto compare = [](const ClientReply& a, const ClientReply& b) {
    return texts(compare_answers("/x", a, b, {}));
  };
  const ClientReply floats = binary("FP32", packed<float>({1, 2, 3}), 3);
  EXPECT_THAT(compare(floats, binary("FP32", packed<float>({1, 2.000001F, 3}), 3)), IsEmpty());
  EXPECT_THAT(compare(floats, binary("FP32", packed<float>({1, 2.5F, 3}), 3)), ElementsAre("outputs[y][1]: 2 / 2.5"));
  EXPECT_THAT(
      compare(binary("INT64", packed<int64_t>({100'000'000}), 1), binary("INT64", packed<int64_t>({100'000'001}), 1)),
      ElementsAre("outputs[y][0]: 100000000 / 100000001"));
  EXPECT_THAT(compare(binary("BYTES", std::string("\1\0\0\0a", 5), 1), binary("BYTES", std::string("\1\0\0\0b", 5), 1)),
              ElementsAre("outputs[y], at 4: byte 97 / byte 98"));
  EXPECT_THAT(compare(floats, json("{}")), ElementsAre("content-type: application/octet-stream / application/json",
                                                       "body: binary tensors / no binary tensors"));
}

TEST(AnswerDifference, BinaryLengthsThatDoNotFit) {
  const ClientReply good = binary("FP32", packed<float>({1}), 1);
  ClientReply cut = good;
  cut.body.pop_back();
  EXPECT_THAT(texts(compare_answers("/x", good, cut, {})), ElementsAre("body: tensors / lengths that don't fit"));
  cut.headers[1].second = "99999";
  EXPECT_EQ(compare_answers("/x", good, cut, {}).count, 1u);
}

TEST(AnswerDifference, ManyAreCountedAndFewKept) {
  std::string left = "[0", right = "[0";
  for (int i = 0; i < 50; ++i) left += ",1", right += ",2";
  const AnswerDifferences differences = compare_answers("/x", json(left + "]"), json(right + "]"), {});
  EXPECT_EQ(differences.count, 50u);
  EXPECT_EQ(differences.first.size(), AnswerDifferences::kMost);
}

}  // namespace
}  // namespace modelmill
