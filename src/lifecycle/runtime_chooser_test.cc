#include "lifecycle/runtime_chooser.h"

#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using Kind = RuntimeChooser::Step::Kind;

const RuntimeLayout kReference{"a", 1, 2}, kWide{"a", 2, 1}, kOther{"b", 1, 2};

/// Alone, two threads are faster; with many rows in flight, the other runtime.
std::shared_ptr<const RuntimeKnowledge> known() {
  auto out = std::make_shared<RuntimeKnowledge>();
  out->report.candidates = {{kReference, "", {{1, 200, 10}}, 0, ""},
                            {kWide, "", {{1, 160, 6}}, 0, ""},
                            {kOther, "", {{1, 130, 15}, {8, 900, 18}}, 0, ""}};
  return out;
}

/// A version's counters while so many requests are in flight, and the chooser's looks at them.
class RuntimeChooserTest : public testing::Test {
 protected:
  RuntimeChooser::Step look(RuntimeChooser& chooser, double in_flight, uint64_t requests = 100) {
    now_ += std::chrono::seconds(1);
    view_.success.count += requests;
    view_.success.ns += static_cast<uint64_t>(in_flight * 1e9);
    view_.inference_count += requests;
    return chooser.observe(now_, view_);
  }
  Kind kind(RuntimeChooser& chooser, double in_flight, uint64_t requests = 100) {
    return look(chooser, in_flight, requests).kind;
  }
  /// The first step in so many looks.
  RuntimeChooser::Step step(RuntimeChooser& chooser, double in_flight, uint64_t requests = 100, int looks = 20) {
    for (int i = 0; i < looks; ++i)
      if (auto out = look(chooser, in_flight, requests); out.kind != Kind::kNothing) return out;
    return {};
  }
  /// A chooser whose version was given to kOther, at 64 requests in flight and 100 a second.
  RuntimeChooser changed() {
    RuntimeChooser chooser(kReference, known());
    EXPECT_EQ(step(chooser, 64).layout, kOther);
    chooser.swapped(kOther);
    return chooser;
  }
  static const std::string& seen(const RuntimeChooser& chooser) { return chooser.known()->report.candidates[2].seen; }

  TimePoint now_{std::chrono::hours(1)};
  VersionStats::View view_;
};

TEST_F(RuntimeChooserTest, ComparesOnceThereIsTraffic) {
  RuntimeChooser chooser(kReference, nullptr);
  EXPECT_EQ(kind(chooser, 0, 0), Kind::kNothing);
  EXPECT_EQ(kind(chooser, 0, 0), Kind::kNothing);
  EXPECT_EQ(kind(chooser, 1, 10), Kind::kNothing);
  EXPECT_EQ(kind(chooser, 1, 10), Kind::kCompare);
}

TEST_F(RuntimeChooserTest, TakesTheBestForTheRowsInFlight) {
  RuntimeChooser few(kReference, known());
  EXPECT_EQ(step(few, 1).layout, kWide);
  RuntimeChooser many(kReference, known());
  const auto taken = step(many, 64);
  EXPECT_EQ(taken.kind, Kind::kSwap);
  EXPECT_EQ(taken.layout, kOther);
  EXPECT_EQ(taken.reason, "4.50 times the rate of a, 2 instances of 1 thread, with 64.0 rows in flight");
}

TEST_F(RuntimeChooserTest, KnowsWhatClientsGetBeforeItChangesAnything) {
  RuntimeChooser chooser(kReference, known());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(kind(chooser, 64), Kind::kNothing) << i;
  EXPECT_EQ(kind(chooser, 64), Kind::kSwap);
}

TEST_F(RuntimeChooserTest, AnotherLayoutOfTheSameRuntimeMustPromiseMore) {
  for (const double rate : {120.0, 140.0}) {
    auto knowledge = std::make_shared<RuntimeKnowledge>();
    knowledge->report.candidates = {{kReference, "", {{1, 200, 10}}, 0, ""}, {kWide, "", {{1, rate, 6}}, 0, ""}};
    RuntimeChooser chooser(kReference, knowledge);
    EXPECT_EQ(step(chooser, 1).kind, rate > 126.5 ? Kind::kSwap : Kind::kNothing) << rate;
  }
}

TEST_F(RuntimeChooserTest, RowsCountAndNotRequests) {
  RuntimeChooser chooser(kReference, known());
  for (int i = 0; i < 4; ++i) (void)look(chooser, 2);
  view_.inference_count += 8000;  // eighty rows a request
  EXPECT_EQ(look(chooser, 2).layout, kOther);
}

TEST_F(RuntimeChooserTest, WhatServesClientsBetterStays) {
  RuntimeChooser chooser = changed();
  EXPECT_EQ(step(chooser, 64, 150).kind, Kind::kJudged);
  EXPECT_EQ(seen(chooser), "clients got 1.50 times of what a, 2 instances of 1 thread gave them");
  EXPECT_EQ(step(chooser, 64, 150, 60).kind, Kind::kNothing);
}

TEST_F(RuntimeChooserTest, WhatDoesNotIsTakenBack) {
  for (const uint64_t requests : {80, 100}) {
    RuntimeChooser chooser = changed();
    const auto back = step(chooser, 64, requests);
    EXPECT_EQ(back.kind, Kind::kSwap);
    EXPECT_EQ(back.layout, kReference);
    EXPECT_NE(seen(chooser).find("so it was taken back"), std::string::npos);
    chooser.swapped(kReference);
    EXPECT_EQ(step(chooser, 64, 100, 500).kind, Kind::kNothing) << "it is not tried again soon";
    EXPECT_EQ(step(chooser, 64, 100, 200).layout, kOther) << "but later";
  }
}

TEST_F(RuntimeChooserTest, WhatWasTakenBackReturnsWhereTheMachineWasOnlyQuieterBefore) {
  RuntimeChooser chooser = changed();
  ASSERT_EQ(step(chooser, 64, 100).layout, kReference);
  chooser.swapped(kReference);
  const auto again = step(chooser, 64, 70);
  EXPECT_EQ(again.kind, Kind::kSwap);
  EXPECT_EQ(again.layout, kOther);
  EXPECT_EQ(seen(chooser), "clients got 1.43 times of what a, 2 instances of 1 thread gives them since");
  chooser.swapped(kOther);
  EXPECT_EQ(step(chooser, 64, 70, 200).kind, Kind::kNothing) << "it is taken for good";
}

TEST_F(RuntimeChooserTest, WhatWasTakenBackStaysAwayWhereTheTrafficBecameAnother) {
  RuntimeChooser chooser = changed();
  ASSERT_EQ(step(chooser, 64, 100).layout, kReference);
  chooser.swapped(kReference);
  EXPECT_EQ(step(chooser, 8, 50, 400).kind, Kind::kNothing);
}

TEST_F(RuntimeChooserTest, OneBadWindowIsNotEnough) {
  RuntimeChooser chooser = changed();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(kind(chooser, 64, 80), Kind::kNothing) << i;
  EXPECT_EQ(step(chooser, 64, 150).kind, Kind::kJudged);
}

TEST_F(RuntimeChooserTest, WhatCanNotBeJudgedStays) {
  RuntimeChooser chooser = changed();
  EXPECT_EQ(step(chooser, 4, 20, 60).kind, Kind::kJudged);
  EXPECT_NE(seen(chooser).find("the traffic has changed"), std::string::npos);
}

TEST_F(RuntimeChooserTest, FollowsTheTrafficLaterWithoutHaste) {
  RuntimeChooser chooser = changed();
  ASSERT_EQ(step(chooser, 64, 150).kind, Kind::kJudged);
  for (int i = 0; i < 24; ++i) EXPECT_EQ(kind(chooser, 1), Kind::kNothing) << i;
  EXPECT_EQ(step(chooser, 1).layout, kWide);
}

TEST_F(RuntimeChooserTest, WithoutTrafficNothingChanges) {
  RuntimeChooser chooser(kReference, known());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(kind(chooser, 0, 0), Kind::kNothing);
}

TEST_F(RuntimeChooserTest, WhatCouldNotBeSwappedIsNotTriedAgain) {
  RuntimeChooser chooser(kReference, known());
  ASSERT_EQ(step(chooser, 64).layout, kOther);
  chooser.not_swapped(kOther, "it doesn't load");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(kind(chooser, 64), Kind::kNothing);
  EXPECT_EQ(chooser.known()->report.candidates[2].excluded, "it doesn't load");
}

TEST_F(RuntimeChooserTest, WhatCanNotBeComparedIsLeftAlone) {
  RuntimeChooser chooser(kReference, nullptr);
  (void)look(chooser, 1);
  ASSERT_EQ(kind(chooser, 1), Kind::kCompare);
  chooser.not_compared();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(kind(chooser, 1), Kind::kNothing);
}

}  // namespace
}  // namespace modelmill
