#include "model/route_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(RouteDefinition, IsWhatItsJsonSays) {
  const std::string json =
      R"({"name":"reader","split":{"ocr@stable":94.5,"ocr@7":5.5},)"
      R"("rules":[{"when":"header:x-tier","is":"gold","to":"ocr-large"},{"when":"cookie:beta","to":"ocr@7"}],)"
      R"("sticky":"header:x-user-id","salt":"2026"})";
  const auto route = parse_route(json);
  ASSERT_TRUE(route.ok()) << route.status().message();
  EXPECT_EQ(route_json(*route), json);
  EXPECT_EQ(route->split[0].to, (RouteTarget{"ocr", 0, "stable"}));
  EXPECT_EQ(route->split[1].to, (RouteTarget{"ocr", 7, ""}));
  EXPECT_EQ(targets_of(*route).size(), 3U);
  EXPECT_EQ(parse_route(R"({"split": {"a": 100}, "sticky": "header:X-User"})", "r")->sticky->name, "x-user");
}

TEST(RouteDefinition, MistakesAreNamed) {
  struct Case {
    const char *json, *says;
  };
  const Case cases[] = {
      {R"([])", "must be a JSON object"},
      {R"({"split": )", "must be a JSON object"},
      {R"({})", "it has no 'split'"},
      {R"({"split": {}})", "it has no 'split'"},
      {R"({"split": 5})", "'split' must be an object of percents"},
      {R"({"split": {"a": "5"}})", "the share of 'a' must be a number"},
      {R"({"split": {"a": 60, "b": 30}})", "the shares sum to 90; they are percents and must sum to 100"},
      {R"({"split": {"a": 110, "b": -10}})", "the share of 'a' is 110"},
      {R"({"split": {"a": 50, "a": 50}})", "'a' stands there twice"},
      {R"({"split": {"a@": 100}})", "names no version"},
      {R"({"split": {"a@0": 100}})", "names no version"},
      {R"({"split": {"a/b": 100}})", "must not contain '/'"},
      {R"({"name": "other", "split": {"a": 100}})", "the route is named 'other'"},
      {R"({"name": 5, "split": {"a": 100}})", "needs a 'name'"},
      {R"({"splitt": {"a": 100}})", "unknown key 'splitt'; did you mean 'split'?"},
      {R"({"split": {"a": 100}, "sticky": "x-user"})", "is nothing that a route looks at"},
      {R"({"split": {"a": 100}, "sticky": "header:"})", "is nothing that a route looks at"},
      {R"({"split": {"a": 100}, "salt": "x"})", "'salt' means nothing without 'sticky'"},
      {R"({"split": {"a": 100}, "rules": {}})", "'rules' must be a list"},
      {R"({"split": {"a": 100}, "rules": [{"when": "client", "to": "a"}]})", "rules[0]: 'client' matches every"},
      {R"({"split": {"a": 100}, "rules": [{"when": "client", "is": "10.0.0.0/33", "to": "a"}]})", "neither an address"},
      {R"({"split": {"a": 100}, "rules": [{"when": "header:a"}]})", "rules[0]: a rule needs 'when' and 'to'"},
      {R"({"split": {"a": 100}, "rules": [{"when": "header:a", "to": "a", "iss": "b"}]})", "did you mean 'is'?"},
  };
  for (const Case& c : cases) {
    const auto route = parse_route(c.json, "reader");
    ASSERT_FALSE(route.ok()) << c.json;
    EXPECT_EQ(route.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(route.status().message(), HasSubstr(c.says)) << c.json;
  }
}

}  // namespace
}  // namespace modelmill
