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

TEST(RouteDefinition, ShadowsAreWhatTheirJsonSays) {
  const std::string json =
      R"({"name":"reader","split":{"ocr@1":100.0},"shadow":[{"target":"ocr@2","share":"12.5%","timeout":"5000000us",)"
      R"("examples":3,"compare":{"*":{"kind":"equal"},"box":{"kind":"tolerance","absolute":0.5,"relative":0.25},)"
      R"("label":{"kind":"top_k","k":5},"logits":{"kind":"kl","threshold":0.25,"softmax":true}}},)"
      R"({"target":"other","share":"100%","of":"ocr@1","compare":{"*":{"kind":"function","model":"agree@2"}}}]})";
  const auto route = parse_route(json);
  ASSERT_TRUE(route.ok()) << route.status().message();
  EXPECT_EQ(route_json(*route), json);
  ASSERT_EQ(route->shadows.size(), 2U);
  const RouteShadow& shadow = route->shadows[0];
  EXPECT_EQ(shadow.to, (RouteTarget{"ocr", 2, ""}));
  EXPECT_EQ(shadow.percent, 12.5);
  EXPECT_EQ(shadow.timeout, std::chrono::seconds(5));
  EXPECT_EQ(shadow.compare.at("label").k, 5);
  EXPECT_TRUE(shadow.compare.at("logits").softmax);
  EXPECT_EQ(route->shadows[1],
            (RouteShadow{.to = {"other", 0, ""},
                         .of = RouteTarget{"ocr", 1, ""},
                         .compare = {{"*", {.kind = ComparisonKind::kFunction, .model = "agree@2"}}}}));
  EXPECT_EQ(function_of(route->shadows[1].compare), "agree@2");
  EXPECT_EQ(function_of(shadow.compare), "");
  EXPECT_EQ(parse_comparisons(comparisons_json(shadow.compare)).value(), shadow.compare);
  EXPECT_THAT(parse_comparisons(R"({"y": {"kind": "topk"}})").status().message(), HasSubstr("compare: 'y'"));
  EXPECT_EQ(targets_of(*route).size(), 1U) << "shadows answer nobody";
  EXPECT_EQ(parse_route(R"({"split": {"a": 100}, "shadow": [{"target": "b", "share": 0.1}]})", "r")->shadows[0].percent,
            0.1);
}

TEST(RouteDefinition, MistakesOfShadowsAreNamed) {
  for (const auto& [shadow, says] : {
           std::pair{R"({})", "'shadow' must be a list"},
           {R"([5])", "shadow[0]: a shadow must be an object"},
           {R"([{"share": 5}])", "shadow[0]: a shadow needs a 'target'"},
           {R"([{"target": "b", "of": "b"}])", "'b' can't be compared with itself"},
           {R"([{"target": "b", "of": "c"}])", "'of' names 'c', which the route does not lead to"},
           {R"([{"target": "b", "of": 5}])", "'of'"},
           {R"([{"target": "b"}, {"target": "b"}])", "'b' stands there twice"},
           {R"([{"target": "b", "share": "10"}])", "'share' must be a number of percents from 0 to 100, such as 10%"},
           {R"([{"target": "b", "share": "x%"}])", "'share' must be"},
           {R"([{"target": "b", "share": 101}])", "'share' must be"},
           {R"([{"target": "b", "share": "-1%"}])", "'share' must be"},
           {R"([{"target": "b", "timeout": 5}])", "'timeout' must be a text"},
           {R"([{"target": "b", "timeout": "0s"}])", "'timeout' must be a time"},
           {R"([{"target": "b", "examples": 101}])", "'examples' must be a whole number from 0 to 100"},
           {R"([{"target": "b", "compare": []}])", "'compare' must be an object by outputs' names"},
           {R"([{"target": "b", "compare": {"y": 5}}])", "compare: 'y': it must be an object"},
           {R"([{"target": "b", "compare": {"y": {}}}])", "'kind' must be equal, tolerance, top_k, kl or function"},
           {R"([{"target": "b", "compare": {"y": {"kind": "cosine"}}}])", "'kind' must be equal"},
           {R"([{"target": "b", "compare": {"y": {"kind": "function"}}}])", "needs 'model'"},
           {R"([{"target": "b", "compare": {"y": {"kind": "function", "model": "f@"}}}])", "'model'"},
           {R"([{"target": "b", "compare": {"y": {"kind": "equal", "model": "f"}}}])", "unknown key 'model'"},
           {R"([{"target": "b", "compare": {"y": {"kind": "function", "model": "f"}, )"
            R"("z": {"kind": "function", "model": "g"}}}])",
            "one function compares the answers"},
           {R"([{"target": "b", "compare": {"y": {"kind": "top_k", "k": 0}}}])", "'k' must be a whole number from 1"},
           {R"([{"target": "b", "compare": {"y": {"kind": "kl", "treshold": 1}}}])", "did you mean 'threshold'?"},
           {R"([{"target": "b", "compare": {"y": {"kind": "equal", "absolute": 1}}}])", "unknown key 'absolute'"},
           {R"([{"target": "b", "compare": {"y": {"kind": "tolerance", "absolute": -1}}}])",
            "'absolute' must be a number of at least 0"},
           {R"([{"target": "b", "shares": 5}])", "did you mean 'share'?"},
       }) {
    const auto route = parse_route(R"({"split": {"a": 100}, "shadow": )" + std::string(shadow) + "}", "reader");
    ASSERT_FALSE(route.ok()) << shadow;
    EXPECT_EQ(route.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(route.status().message(), HasSubstr(says)) << shadow;
  }
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
