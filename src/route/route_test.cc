#include "route/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/stable_hash.h"
#include "model/route_assignment.h"
#include "route/routes.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

class RouteTest : public ::testing::Test {
 protected:
  Route route(const std::string& json) { return {parse_route(json, "reader").value(), stats_, shadow_stats_}; }
  static std::string chosen(const Route& route, const RequestFacts& facts, double chance = 0) {
    return route.arms()[route.choose(facts, chance)].name;
  }

  MetricRegistry metrics_;
  ArmStatsTable stats_{metrics_};
  ShadowStatsTable shadow_stats_{metrics_};
};

TEST_F(RouteTest, FirstRuleThatMatchesDecides) {
  const Route route = this->route(R"({"split": {"ocr@1": 100, "ocr@2": 0}, "rules": [
      {"when": "header:X-Tier", "is": "gold", "to": "ocr@2"},
      {"when": "cookie:beta", "to": "ocr@beta"},
      {"when": "parameter:user", "is": "7", "to": "ocr-large"},
      {"when": "client", "is": "10.1.0.0/16", "to": "ocr@3"}]})");
  Parameters parameters;
  parameters.set("user", int64_t{7});
  struct Case {
    RequestFacts::Fields headers;
    std::string query, peer;
    const Parameters* parameters;
    std::string chosen;
  };
  const Case cases[] = {
      {{}, "", "", nullptr, "ocr@1"},
      {{{"x-tier", "gold"}}, "", "", nullptr, "ocr@2"},
      {{{"x-tier", "silver"}}, "", "", nullptr, "ocr@1"},
      {{{"x-tier", "gold"}, {"cookie", "beta=1"}}, "", "", nullptr, "ocr@2"},
      {{{"cookie", "a=b; beta=; c=d"}}, "", "", nullptr, "ocr@beta"},
      {{{"cookie", "a=b"}, {"cookie", "beta=x"}}, "", "", nullptr, "ocr@beta"},
      {{{"cookie", "xbeta=1; alphabeta"}}, "", "", nullptr, "ocr@1"},
      {{}, "a=b&user=7", "", nullptr, "ocr-large"},
      {{}, "user=%37", "", nullptr, "ocr-large"},
      {{}, "user=%zz", "", nullptr, "ocr@1"},
      {{}, "user=8", "", &parameters, "ocr-large"},  // the request's own parameter goes before the URL's
      {{}, "", "10.1.255.7:1234", nullptr, "ocr@3"},
      {{}, "", "[::ffff:10.1.2.3]:1234", nullptr, "ocr@3"},
      {{}, "", "10.2.0.1:1234", nullptr, "ocr@1"},
      {{}, "", "unix", nullptr, "ocr@1"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(chosen(route, {&c.headers, c.query, c.peer, c.parameters}), c.chosen) << c.query << c.peer;
}

TEST_F(RouteTest, StickyKeysStayWhereTheyAre) {
  const Route before = route(R"({"split": {"ocr@1": 95, "ocr@2": 5}, "sticky": "header:x-user"})");
  const Route after = route(R"({"split": {"ocr@1": 50, "ocr@2": 50}, "sticky": "header:x-user"})");
  const Route salted = route(R"({"split": {"ocr@1": 50, "ocr@2": 50}, "sticky": "header:x-user", "salt": "b"})");
  int on_new = 0, resalted = 0;
  for (int user = 0; user < 1000; ++user) {
    const RequestFacts::Fields headers{{"x-user", std::to_string(user)}};
    const RequestFacts facts{&headers, {}, {}, nullptr};
    const std::string arm = chosen(before, facts);
    EXPECT_EQ(chosen(before, facts, 0.99), arm);
    if (arm == "ocr@2") {
      ++on_new;
      EXPECT_EQ(chosen(after, facts), "ocr@2");
    }
    resalted += chosen(after, facts) != chosen(salted, facts);
  }
  EXPECT_GT(on_new, 20);
  EXPECT_GT(resalted, 400);
}

TEST_F(RouteTest, ChanceDecidesWithoutAKey) {
  const Route route = this->route(R"({"split": {"ocr@1": 75, "ocr@2": 25}, "sticky": "header:x-user"})");
  const RequestFacts::Fields empty{{"x-user", ""}};
  for (const RequestFacts& facts : {RequestFacts{}, RequestFacts{&empty, {}, {}, nullptr}}) {
    EXPECT_EQ(chosen(route, facts, 0.74), "ocr@1");
    EXPECT_EQ(chosen(route, facts, 0.76), "ocr@2");
  }
}

TEST_F(RouteTest, KnowsWhetherParametersMatter) {
  EXPECT_FALSE(route(R"({"split": {"ocr": 100}, "sticky": "header:u"})").reads_parameters());
  EXPECT_TRUE(route(R"({"split": {"ocr": 100}, "sticky": "parameter:u"})").reads_parameters());
  EXPECT_TRUE(route(R"({"split": {"ocr": 100}, "rules": [{"when": "parameter:u", "to": "x"}]})").reads_parameters());
}

TEST_F(RouteTest, AShadowMayBeOfOneTargetAlone) {
  const Route route = this->route(R"({"split": {"a": 90, "b": 10}, "shadow": [
      {"target": "a", "of": "b"}, {"target": "c", "share": "50%", "of": "a"}, {"target": "d"}]})");
  const auto copied = [&](size_t arm, double chance) {
    std::string to;
    for (const Route::Shadow& shadow : route.shadows())
      if (route.is_copied(shadow, arm, chance)) to += shadow.name;
    return to;
  };
  EXPECT_EQ(copied(0, 0.4), "cd");
  EXPECT_EQ(copied(0, 0.6), "d");
  EXPECT_EQ(copied(1, 0.4), "ad");
}

TEST(Routes, TellWhatCameOfCopies) {
  MetricRegistry metrics;
  Routes routes(metrics);
  EXPECT_EQ(routes.copies("reader", {"b", 0, ""}), CopyCounts());
  routes.publish({parse_route(R"({"split": {"a": 100}, "shadow": [{"target": "b"}]})", "reader").value()});
  ShadowStats& stats = *routes.find("reader")->shadows()[0].stats;
  stats.compared(true, 3);
  stats.compared(false, 0);
  stats.failed(unavailable("it is gone"));
  stats.shed();
  stats.not_compared(internal("it raises"));
  EXPECT_EQ(stats.last_comparison_failure(), "it raises");
  EXPECT_EQ(routes.copies("reader", {"b", 0, ""}), (CopyCounts{2, 1, 1, 1, 1}));
  EXPECT_EQ(routes.copies("reader", {"a", 0, ""}), CopyCounts());
}

TEST(Routes, ArePublishedTogetherAndKeepTheirCounts) {
  MetricRegistry metrics;
  Routes routes(metrics);
  EXPECT_EQ(routes.find("reader"), nullptr);
  const auto half = parse_route(R"({"split": {"a": 50, "b": 50}})", "reader").value();
  const auto all = parse_route(R"({"split": {"a": 0, "b": 100}})", "reader").value();
  routes.publish({half, parse_route(R"({"split": {"a": 100}})", "other").value()});
  const auto first = routes.find("reader");
  ASSERT_NE(first, nullptr);
  EXPECT_NE(routes.find("other"), nullptr);
  EXPECT_EQ(routes.find("a"), nullptr);
  EXPECT_EQ(routes.leading_to("a").size(), 2U);
  EXPECT_EQ(routes.leading_to("b").at(0)->name(), "reader");
  EXPECT_TRUE(routes.leading_to("c").empty());
  first->arms()[1].stats->answered(internal("it broke"), Duration::zero());
  routes.publish({half});
  EXPECT_EQ(routes.find("reader"), first);  // nothing about it changed
  routes.publish({all});
  EXPECT_EQ(routes.find("reader")->arms()[1].stats->failures(), 1);
  EXPECT_THAT(metrics.render(), HasSubstr(R"(modelmill_route_failures_total{route="reader",arm="b"} 1)"));
  routes.publish({});
  EXPECT_EQ(routes.find("reader"), nullptr);
}

TEST_F(RouteTest, ItTellsWhomItsSplitGaveAnArm) {
  const Route route = this->route(R"({"split": {"a": 50, "b": 50}, "sticky": "header:x-user",
      "rules": [{"when": "header:x-tier", "is": "gold", "to": "b"}]})");
  const auto assigned = [&](const RequestFacts::Fields& headers) {
    RouteAssignment assignment;
    RequestFacts facts;
    facts.headers = &headers;
    const size_t arm = route.choose(facts, 0.9, &assignment);
    EXPECT_EQ(arm, route.choose(facts, 0.9)) << "telling changes nothing";
    return assignment;
  };
  EXPECT_EQ(assigned({{"x-user", "ann"}}).user, stable_hash("ann"));
  EXPECT_TRUE(assigned({{"x-user", "ann"}}).is_by_split);
  EXPECT_EQ(assigned({}).user, 0U);
  EXPECT_TRUE(assigned({}).is_by_split);
  EXPECT_FALSE(assigned({{"x-user", "ann"}, {"x-tier", "gold"}}).is_by_split) << "a rule is no assignment";
  const Exposure exposure = route.exposure(1, {true, 7}, "id-1");
  EXPECT_EQ(exposure.user, 7U);
  EXPECT_EQ(exposure.arm, stable_hash("b"));
  EXPECT_EQ(exposure.request, stable_hash("id-1"));
  EXPECT_EQ(exposure.assignment, assignment_hash(route.definition()));
  EXPECT_EQ(route.exposure(0, {}, "").request, 0U);
  EXPECT_EQ(route.wanted_exposures(), nullptr) << "nobody can want any";
}

TEST(RouteAssignmentTest, ItsHashTellsWhetherKeysGetTheSameArms) {
  const auto hash = [](const std::string& json) { return assignment_hash(parse_route(json, "reader").value()); };
  const uint64_t half = hash(R"({"split": {"a": 50, "b": 50}, "sticky": "client"})");
  EXPECT_EQ(half, hash(R"({"split": {"a": 50, "b": 50}, "sticky": "client", "salt": "reader",
      "fallback": {"to": ["c"]}})"));
  for (const char* other : {R"({"split": {"a": 51, "b": 49}, "sticky": "client"})", R"({"split": {"a": 50, "b": 50}})",
                            R"({"split": {"a": 50, "c": 50}, "sticky": "client"})",
                            R"({"split": {"a": 50, "b": 50}, "sticky": "header:x"})",
                            R"({"split": {"a": 50, "b": 50}, "sticky": "client", "salt": "s"})"})
    EXPECT_NE(half, hash(other)) << other;
}

TEST(RoutesTest, ExposuresOutlastTheRouteWhileSomebodyHoldsThem) {
  MetricRegistry metrics;
  Routes routes(metrics);
  EXPECT_EQ(routes.exposures("reader"), nullptr);
  const RouteDefinition half = parse_route(R"({"split": {"a": 50, "b": 50}})", "reader").value();
  routes.publish({half});
  const auto exposures = routes.exposures("reader");
  ASSERT_NE(exposures, nullptr);
  EXPECT_EQ(routes.find("reader")->wanted_exposures(), nullptr);
  exposures->want(true);
  EXPECT_EQ(routes.find("reader")->wanted_exposures(), exposures.get());
  routes.publish({});
  EXPECT_EQ(routes.exposures("reader"), nullptr);
  routes.publish({half});
  EXPECT_EQ(routes.exposures("reader"), exposures);
}

}  // namespace
}  // namespace modelmill
