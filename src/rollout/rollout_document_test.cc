#include "rollout/rollout_document.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace modelmill {
namespace {

TEST(RolloutDocumentTest, ReadsWhatItWrites) {
  RolloutDocument document;
  Rollout& rollout = document.last.emplace();
  rollout.number = 3;
  rollout.started_at = "2026-01-31T12:00:00Z";
  rollout.to = {"m", 2, ""};
  rollout.from = {"m", 0, "stable"};
  rollout.plan.steps = parse_steps("shadow:2.5@90s,5,100", std::chrono::hours(1)).value();
  rollout.plan.gates = {parse_gate("p99.9<=50ms").value(), parse_gate("error_rate<=+0.25pp").value(),
                        parse_gate("disagreement<=2%").value()};
  rollout.before = parse_route(R"({"split": {"m@stable": 100}, "sticky": "cookie:u"})", "r").value();
  rollout.wanted = with_share(*rollout.before, rollout.to, 2.5);
  rollout.is_placed = rollout.is_held = true;
  rollout.phase = RolloutPhase::kPaused;
  rollout.why = "\"so\"";
  rollout.watched = std::chrono::milliseconds(1'234);
  rollout.window.canary = {7, 2, {0, 3, 0, 2}, {{4, {0, 0, 9}}}, 1, 12'345};
  rollout.window.baseline.requests = 5;
  rollout.window.copies = {9, 3, 2, 1, 4};
  rollout.plan.compare["y"].kind = ComparisonKind::kTolerance;
  rollout.plan.compare["y"].absolute = 0.5;
  document.add({0, 3, "2026-01-31T12:00:00Z", "start", "me", "by hand", 2.5, R"({"canary":{"requests":1}})"});
  document.wish = RolloutWish{R"({"to":"7"})", "a.yaml", "a.yaml:7:5", RolloutWishState::kRolledBack, 3, "so"};
  const std::string text = rollout_document_text(document);
  const auto read = parse_rollout_document(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, document);
  RolloutDocument wished;
  wished.wish = RolloutWish{"{}", "a.yaml", "a.yaml:7:5"};
  EXPECT_EQ(parse_rollout_document(rollout_document_text(wished)).value(), wished);
  // What was written before there were copies is read.
  std::string earlier = text;
  for (const auto& [field, end] : {std::pair(R"("compare":)", "}},"), {R"(,"copies":)", "}"}}) {
    const size_t at = earlier.find(field);
    earlier.erase(at, earlier.find(end, at) + std::string_view(end).size() - at);
  }
  const auto without = parse_rollout_document(earlier);
  ASSERT_TRUE(without.ok()) << without.status().message() << earlier;
  EXPECT_EQ(without->last->window.copies, CopyCounts());
  EXPECT_TRUE(without->last->plan.compare.empty());
  std::string later = text;
  later.replace(later.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_EQ(parse_rollout_document(later).status().code(), Code::kFailedPrecondition);
  later = text;
  later.replace(later.find("is_held"), 7, "is_hold");
  EXPECT_EQ(parse_rollout_document(later).status().code(), Code::kDataLoss);
  for (size_t i = 0; i < RolloutDocument::kMostEntries + 5; ++i) document.add({});
  EXPECT_EQ(document.entries.size(), RolloutDocument::kMostEntries);
}

TEST(RolloutDocumentTest, SharesOfTheOthersStayAsTheyAreAmongEachOther) {
  const RouteDefinition base = parse_route(R"({"split": {"a": 60, "b": 20, "c": 20, "d": 0}})", "r").value();
  EXPECT_EQ(with_share(base, {"c", 0, ""}, 20).split,
            (std::vector<RouteArm>{{{"a", 0, ""}, 60}, {{"b", 0, ""}, 20}, {{"c", 0, ""}, 20}}));
  EXPECT_EQ(with_share(base, {"e", 0, ""}, 100).split, (std::vector<RouteArm>{{{"e", 0, ""}, 100}}));
  for (const double percent : {0.1, 5.0, 33.3, 99.9})
    EXPECT_TRUE(check_route(with_share(base, {"e", 0, ""}, percent)).ok()) << percent;
}

}  // namespace
}  // namespace modelmill
