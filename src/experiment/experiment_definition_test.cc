#include "experiment/experiment_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(ExperimentDefinitionTest, DefaultsAndAllKeys) {
  const auto least = parse_experiment_request(R"({"route":"r","goal":"purchase"})");
  ASSERT_TRUE(least.ok()) << least.status().message();
  EXPECT_TRUE(least->goal.is_binary);
  EXPECT_EQ(least->window, std::chrono::hours(1));
  EXPECT_EQ(least->alpha, 0.05);
  EXPECT_FALSE(least->deploys_winner);
  const auto all = parse_experiment_request(
      R"({"route":"r","goal":"seconds:mean:lower","control":"m@1","guardrails":["refund<=+0.5pp","basket>=-1.5"],)"
      R"("margin":0.25,"alpha":0.01,"min_users":50,"users":2000,"window":"3d","deploy_winner":true})");
  ASSERT_TRUE(all.ok()) << all.status().message();
  EXPECT_FALSE(all->goal.is_binary);
  EXPECT_TRUE(all->goal.is_lower_better);
  ASSERT_EQ(all->guardrails.size(), 2U);
  EXPECT_TRUE(all->guardrails[0].metric.is_binary);
  EXPECT_TRUE(all->guardrails[0].metric.is_lower_better);
  EXPECT_NEAR(all->guardrails[0].margin, 0.005, 1e-12);
  EXPECT_EQ(all->guardrails[1].metric.name, "basket");
  EXPECT_FALSE(all->guardrails[1].metric.is_lower_better);
  EXPECT_EQ(all->guardrails[1].margin, 1.5);
  EXPECT_EQ(all->window, std::chrono::hours(72));
  const auto again = parse_experiment_request(experiment_request_json(*all));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(*again, *all);
}

TEST(ExperimentDefinitionTest, MistakesAreNamed) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"[]", "JSON object"},
      {R"({"goal":"g"})", "'route' is required"},
      {R"({"route":"r"})", "'goal' is required"},
      {R"({"route":"r","goal":"g","guardrial":[]})", "did you mean 'guardrails'"},
      {R"({"route":"r","goal":"a b"})", "goal 'a b'"},
      {R"({"route":"r","goal":"g","guardrails":["g<=+1pp"]})", "metric 'g' stands twice"},
      {R"({"route":"r","goal":"g","guardrails":["x<=1pp"]})", "guardrail 'x<=1pp'"},
      {R"({"route":"r","goal":"g","guardrails":["x>=+1"]})", "guardrail 'x>=+1'"},
      {R"({"route":"r","goal":"g","guardrails":["x<+1"]})", "guardrail 'x<+1'"},
      {R"({"route":"r","goal":"g","guardrails":["x<=+200pp"]})", "guardrail 'x<=+200pp'"},
      {R"({"route":"r","goal":"g","guardrails":["x<=+nan"]})", "guardrail 'x<=+nan'"},
      {R"({"route":"r","goal":"g","margin":1})", "share below 1"},
      {R"({"route":"r","goal":"g","margin":-1})", "'margin' must be a number from 0"},
      {R"({"route":"r","goal":"g","alpha":0.5})", "'alpha' must be a number from 0.0001 to 0.2"},
      {R"({"route":"r","goal":"g","min_users":1})", "'min_users' must be a number from 10"},
      {R"({"route":"r","goal":"g","users":"x"})", "'users' must be a number from 100"},
      {R"({"route":"r","goal":"g","window":"10ms"})", "from 1s to 30d"},
      {R"({"route":"r","goal":"g","window":5})", "'window' must be a time"},
      {R"({"route":"r","goal":"g","deploy_winner":"yes"})", "true or false"},
  };
  for (const auto& [json, why] : kWrong) {
    const auto parsed = parse_experiment_request(json);
    ASSERT_FALSE(parsed.ok()) << json;
    EXPECT_EQ(parsed.status().code(), Code::kInvalidArgument) << json;
    EXPECT_THAT(parsed.status().message(), HasSubstr(why)) << json;
  }
}

}  // namespace
}  // namespace modelmill
