#include "experiment/outcome_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/stable_hash.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

const ExperimentDefinition kDefinition =
    parse_experiment_request(R"({"route":"r","goal":"purchase","guardrails":["basket>=-1"]})").value();

TEST(OutcomeRequestTest, OneAListAndAnObjectWithAList) {
  const auto one = parse_outcomes(R"({"user":"ann"})", kDefinition, false);
  ASSERT_TRUE(one.ok()) << one.status().message();
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(one->front().user, stable_hash("ann"));
  EXPECT_EQ(one->front().metric, 0);
  EXPECT_EQ(one->front().value, 1);
  EXPECT_FALSE(one->front().at_ms);
  const std::string list = R"([{"request":"r-1","metric":"basket","value":-2.5,"id":"o1","at":"2026-01-31T12:00:00Z"},)"
                           R"({"user":42,"value":true,"at":1769860800.5}])";
  for (const std::string& json : {list, R"({"outcomes":)" + list + "}"}) {
    const auto two = parse_outcomes(json, kDefinition, false);
    ASSERT_TRUE(two.ok()) << two.status().message();
    ASSERT_EQ(two->size(), 2U);
    EXPECT_EQ(two->at(0).request, stable_hash("r-1"));
    EXPECT_EQ(two->at(0).metric, 1);
    EXPECT_EQ(two->at(0).value, -2.5);
    EXPECT_EQ(two->at(0).id, stable_hash("o1"));
    EXPECT_EQ(two->at(0).at_ms, 1'769'860'800'000);
    EXPECT_EQ(two->at(1).user, stable_hash("42"));
    EXPECT_EQ(two->at(1).at_ms, 1'769'860'800'500);
  }
  EXPECT_TRUE(parse_outcomes("[]", kDefinition, false)->empty());
}

TEST(OutcomeRequestTest, MistakesAreNamed) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "outcomes must be JSON"},
      {"7", "must be a JSON object"},
      {"{}", "'user' or 'request'"},
      {R"({"user":"a","request":"b"})", "one of them"},
      {R"({"user":""})", "'user' must be a text that is not empty"},
      {R"({"user":"a","metric":"clicks"})", "'clicks' is none of the experiment's metrics: purchase, basket"},
      {R"({"user":"a","value":"much"})", "'value' must be a number"},
      {R"({"user":"a","value":1e13})", "'value' must be a number"},
      {R"({"user":"a","at":"yesterday"})", "'at' must be seconds"},
      {R"({"user":"a","at":-1})", "'at' must be seconds"},
      {R"({"usr":"a"})", "did you mean 'user'"},
      {R"([{"user":"a"},{"user":"b","value":[]}])", "outcome 2 of the list"},
  };
  for (const auto& [json, why] : kWrong) {
    const auto parsed = parse_outcomes(json, kDefinition, false);
    ASSERT_FALSE(parsed.ok()) << json;
    EXPECT_THAT(parsed.status().message(), HasSubstr(why)) << json;
  }
  EXPECT_THAT(parse_outcomes(R"({"user":"a"})", kDefinition, true).status().message(), HasSubstr("no sticky key"));
  std::string many = "[";
  for (size_t i = 0; i <= kMostOutcomes; ++i) many += std::string(i == 0 ? "" : ",") + R"({"user":"a"})";
  EXPECT_THAT(parse_outcomes(many + "]", kDefinition, false).status().message(),
              HasSubstr("10000 outcomes are the most"));
}

}  // namespace
}  // namespace modelmill
