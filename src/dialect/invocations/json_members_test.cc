#include "dialect/invocations/json_members.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <array>
#include <random>
#include <string>

namespace modelmill::invocations {
namespace {

std::vector<JsonMember> all_members(std::string_view text) {
  std::vector<JsonMember> members;
  each_json_member(text, [&members](const JsonMember& member) {
    members.push_back(member);
    return true;
  });
  return members;
}

std::string shown(const std::vector<JsonMember>& members) {
  std::string out;
  for (const JsonMember& member : members) out += std::string(member.key) + "=" + std::string(member.value) + ";";
  return out;
}
std::string shown(std::string_view text) { return shown(all_members(text)); }

TEST(JsonMembers, AreThoseOfTheOutermostObject) {
  EXPECT_EQ(shown("{}"), "");
  EXPECT_EQ(shown(R"({"a":1})"), "a=1;");
  EXPECT_EQ(shown(" {\n\"a\" : 1 ,\t\"b\" :\"x\" } tail"), R"(a=1;b="x";)");
  EXPECT_EQ(shown(R"({"a":{"b":[1,{"c":2}]},"d":[[],{}],"e":null})"), R"(a={"b":[1,{"c":2}]};d=[[],{}];e=null;)");
  EXPECT_EQ(shown(R"({"a":-1.5e3,"b":true})"), "a=-1.5e3;b=true;");
}

TEST(JsonMembers, BracketsAndQuotesInStringsAreText) {
  EXPECT_EQ(shown(R"({"a":"}]","b":["\"]{",2]})"), R"(a="}]";b=["\"]{",2];)");
  EXPECT_EQ(shown(R"({"a":"\\","b":"\\\"","c":1})"), R"(a="\\";b="\\\"";c=1;)");
  EXPECT_EQ(shown(R"({"a\"b":1})"), R"(a\"b=1;)");
}

TEST(JsonMembers, EndWhereTheTextDoes) {
  for (const char* text : {"", " ", "[]", "1", "{", "{\"a", R"({"a")", R"({"a":)", R"({"a":})", R"({"a":"x)",
                           R"({"a":[1)", R"({"a":{"b":"]})", "{1:2}"})
    EXPECT_EQ(shown(text), "") << text;
  EXPECT_EQ(shown(R"({"a":1,"b":[)"), "a=1;");
  EXPECT_EQ(shown(R"({"a":1 "b":2})"), "a=1;");
}

TEST(JsonMembers, OfThoseThatAreAskedForTheFirstOfANameCounts) {
  const std::array<std::string_view, 3> names = {"a", "b", "c"};
  const auto members = json_members(R"({"a":1,"x":0,"b":2,"a":3})", names);
  EXPECT_EQ(shown(members), "a=1;b=2;");
  EXPECT_EQ(json_member(members, "a"), "1");
  EXPECT_EQ(json_member(members, "c"), "");
  EXPECT_EQ(json_member(members, "x"), "");
}

TEST(JsonMembers, AreFewHoweverManyTheTextHas) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += R"("a":1,"b":2,)";
  const std::array<std::string_view, 2> names = {"b", "c"};
  EXPECT_EQ(shown(json_members(text + R"("c":3})", names)), "b=2;c=3;");
}

TEST(JsonMembers, NoMoreIsReadThanIsAskedFor) {
  int seen = 0;
  each_json_member(R"({"a":1,"b":2,"c":3})", [&seen](const JsonMember&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST(JsonMembers, AgreeWithTheParserAndSurviveAnyText) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  const std::string alphabet = R"({}[]":,\ a1)";
  simdjson::dom::parser parser;
  for (int turn = 0; turn < 20'000; ++turn) {
    std::string text = turn % 2 == 0 ? "{\"a\":" : "";
    const size_t length = random() % 12;
    for (size_t i = 0; i < length; ++i) text += alphabet[random() % alphabet.size()];
    if (turn % 2 == 0) text += '}';
    const auto members = all_members(text);
    simdjson::dom::object object;
    if (parser.parse(text).get_object().get(object) != simdjson::SUCCESS) continue;
    ASSERT_EQ(members.size(), object.size()) << text << ", seed " << seed;
    size_t at = 0;
    for (const auto& [key, value] : object) {
      simdjson::dom::parser other;
      simdjson::dom::element again;
      ASSERT_EQ(other.parse(std::string(members[at].value)).get(again), simdjson::SUCCESS) << text << ", seed " << seed;
      EXPECT_EQ(simdjson::minify(again), simdjson::minify(value)) << text << ", seed " << seed;
      ++at;
    }
  }
}

}  // namespace
}  // namespace modelmill::invocations
