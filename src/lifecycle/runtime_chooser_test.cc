#include "lifecycle/runtime_chooser.h"

#include <gtest/gtest.h>

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
  (void)look(few, 1);
  EXPECT_EQ(look(few, 1).layout, kWide);
  RuntimeChooser many(kReference, known());
  (void)look(many, 64);
  const auto step = look(many, 64);
  EXPECT_EQ(step.kind, Kind::kSwap);
  EXPECT_EQ(step.layout, kOther);
  EXPECT_EQ(step.reason, "4.50 times the rate of a, 2 instances of 1 thread, with 64.0 rows in flight");
}

TEST_F(RuntimeChooserTest, RowsCountAndNotRequests) {
  RuntimeChooser chooser(kReference, known());
  (void)look(chooser, 2);
  view_.inference_count += 800;  // nine rows a request
  EXPECT_EQ(look(chooser, 2).layout, kOther);
}

TEST_F(RuntimeChooserTest, FollowsTheTrafficLaterWithoutHaste) {
  RuntimeChooser chooser(kReference, known());
  (void)look(chooser, 64);
  ASSERT_EQ(look(chooser, 64).layout, kOther);
  chooser.swapped(kOther);
  for (int i = 0; i < 29; ++i) EXPECT_EQ(kind(chooser, 1), Kind::kNothing) << i;
  EXPECT_EQ(look(chooser, 1).layout, kWide);
}

TEST_F(RuntimeChooserTest, WithoutTrafficNothingChanges) {
  RuntimeChooser chooser(kReference, known());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(kind(chooser, 0, 0), Kind::kNothing);
}

TEST_F(RuntimeChooserTest, WhatCouldNotBeSwappedIsNotTriedAgain) {
  RuntimeChooser chooser(kReference, known());
  (void)look(chooser, 64);
  ASSERT_EQ(look(chooser, 64).layout, kOther);
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
