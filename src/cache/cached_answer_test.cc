#include "cache/cached_answer.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "cache/byte_hash.h"
#include "cache/testing/questions.h"
#include "request/open_parameter.h"

namespace modelmill {
namespace {

using testing::bytes_tensor;
using testing::kept;
using testing::question;
using testing::reply;
using testing::text_of;

constexpr AnswerScope kScope{1, 2};

TEST(ByteHash, EveryByteAndEveryCutCounts) {
  const std::string base(100, 'a');
  const auto number = [](const std::string& text, uint64_t seed = 7) {
    ByteHash hash(seed);
    hash.add(std::string_view(text));
    return hash.value();
  };
  std::set<uint64_t> seen{number(base)};
  for (size_t i = 0; i < base.size(); ++i) {
    std::string other = base;
    other[i] = 'b';
    EXPECT_TRUE(seen.insert(number(other)).second) << i;
  }
  for (size_t size = 0; size < base.size(); ++size)
    EXPECT_TRUE(seen.insert(number(std::string(size, 'a'))).second) << size;
  for (size_t size = 1; size < 70; ++size)
    EXPECT_TRUE(seen.insert(number(std::string(size, '\0'))).second) << size << " zeros";
  EXPECT_NE(number(base, 7), number(base, 8));
  ByteHash one(7), two(7);
  for (const char* text : {"ab", "c"}) one.add(std::string_view(text));
  for (const char* text : {"a", "bc"}) two.add(std::string_view(text));
  EXPECT_NE(one.value(), two.value());
}

/// A way in which a request differs from question("abc").
struct Change {
  const char* what;
  std::function<void(InferRequest&)> make;
};

TEST(CachedAnswer, IsOfTheSameQuestionAlone) {
  const auto asked = question("abc");
  asked->parameters.set("p", int64_t{1});
  asked->outputs.push_back({"y"});
  const auto answer = kept(kScope, *asked, reply("xyz"));
  const auto same = [] {
    auto request = question("abc");
    request->parameters.set("p", int64_t{1});
    request->outputs.push_back({"y"});
    return request;
  };
  const auto again = same();
  again->id = "another";
  again->priority = 3;
  again->deadline = Clock::now();
  again->outputs.front().classes = 2;  // made of the answer afterwards
  EXPECT_TRUE(answer->is_of(kScope, *again));
  EXPECT_EQ(question_hash(kScope, *asked), question_hash(kScope, *again));
  EXPECT_FALSE(answer->is_of({1, 3}, *again));
  EXPECT_FALSE(answer->is_of({2, 2}, *again));
  EXPECT_NE(question_hash({1, 3}, *asked), question_hash(kScope, *asked));
  const std::vector<Change> changes = {
      {"a byte", [](InferRequest& r) { r.inputs[0] = bytes_tensor("x", "abd"); }},
      {"a size", [](InferRequest& r) { r.inputs[0] = bytes_tensor("x", "ab"); }},
      {"a shape of the same bytes",
       [](InferRequest& r) {
         r.inputs[0].shape = {1, 3};
       }},
      {"a type of the same bytes", [](InferRequest& r) { r.inputs[0].dtype = DataType::kInt8; }},
      {"a name", [](InferRequest& r) { r.inputs[0].name = "z"; }},
      {"one more input", [](InferRequest& r) { r.inputs.push_back(bytes_tensor("z", "")); }},
      {"no input", [](InferRequest& r) { r.inputs.clear(); }},
      {"a parameter's value", [](InferRequest& r) { r.parameters.set("p", int64_t{2}); }},
      {"a parameter's type", [](InferRequest& r) { r.parameters.set("p", uint64_t{1}); }},
      {"one more parameter", [](InferRequest& r) { r.parameters.set("q", true); }},
      {"another output", [](InferRequest& r) { r.outputs[0].name = "z"; }},
      {"all outputs", [](InferRequest& r) { r.outputs.clear(); }},
  };
  for (const Change& change : changes) {
    const auto other = same();
    change.make(*other);
    EXPECT_FALSE(answer->is_of(kScope, *other)) << change.what;
    EXPECT_NE(question_hash(kScope, *other), question_hash(kScope, *asked)) << change.what;
  }
}

TEST(CachedAnswer, OpenCodeSeesWhetherThereIsAnId) {
  const auto asked = [](const char* id) {
    auto request = question("abc");
    request->id = id;
    request->parameters.set(std::string(kOpenRequest), std::string("{}"));
    return request;
  };
  const auto answer = kept(kScope, *asked("one"), reply("xyz"));
  EXPECT_TRUE(answer->is_of(kScope, *asked("two")));
  EXPECT_FALSE(answer->is_of(kScope, *asked("")));
  EXPECT_NE(question_hash(kScope, *asked("one")), question_hash(kScope, *asked("")));
}

TEST(CachedAnswer, ChunksAreNoDifference) {
  const auto answer = kept(kScope, *question("abcd"), reply("y"));
  const auto cut = question("abcd");
  cut->inputs[0].data = {Bytes::copy_of("a"), Bytes::copy_of("bcd")};
  EXPECT_TRUE(answer->is_of(kScope, *cut));
}

TEST(CachedAnswer, SharesBytesThatAreItsOwn) {
  const auto asked = question(std::string(1'000, 'a'));
  const InferResponse response = reply(std::string(5'000, 'b'));
  const auto answer = kept(kScope, *asked, response);
  const InferResponse again = answer->response();
  EXPECT_EQ(again.outputs[0].data[0].data(), response.outputs[0].data[0].data()) << "nothing was copied";
  EXPECT_EQ(answer->response().outputs[0].data[0].data(), again.outputs[0].data[0].data());
  EXPECT_EQ(again.version, 3);
  EXPECT_EQ(again.outputs[0].name, "y");
  EXPECT_GE(answer->bytes(), 6'000U);
  EXPECT_LE(answer->bytes(), 8'000U);
}

TEST(CachedAnswer, LetsGoOfMemoryThatIsLent) {
  static bool released;
  released = false;
  static char lent[] = "lent";
  InferResponse response;
  response.outputs.push_back({"y",
                              DataType::kUint8,
                              {4},
                              {Bytes(Memory::adopt(
                                  lent, 4, [](void*) { released = true; }, nullptr))}});
  const auto answer = kept(kScope, *question("a"), response);
  response.outputs.clear();
  EXPECT_TRUE(released) << "its owner has it back";
  EXPECT_EQ(text_of(answer->response()), "lent");
}

TEST(CachedAnswer, KeepsNoLargeBlockForASmallPart) {
  const MemoryRef block = Memory::allocate(1 << 20);
  std::fill_n(reinterpret_cast<char*>(block->data()), 16, 'c');
  InferResponse response;
  response.outputs.push_back({"y", DataType::kUint8, {16}, {Bytes(block).slice(0, 16)}});
  const auto answer = kept(kScope, *question("a"), response);
  EXPECT_LT(answer->bytes(), 4'096U);
  EXPECT_NE(answer->response().outputs[0].data[0].memory().get(), block.get());
  EXPECT_EQ(text_of(answer->response()), std::string(16, 'c'));
}

}  // namespace
}  // namespace modelmill
