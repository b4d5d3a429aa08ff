#include "lifecycle/runtime_choice.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

RuntimeCandidate candidate(RuntimeLayout layout, std::vector<RuntimeTiming> timings) {
  return {std::move(layout), "", std::move(timings), 0, ""};
}

const RuntimeLayout kOneEach{"a", 1, 2}, kTogether{"a", 2, 1}, kOther{"b", 1, 2};

TEST(RuntimeChoice, LayoutsShareTheCoresOut) {
  EXPECT_EQ(layouts_to_try("a", 2, 0, 0), (std::vector<RuntimeLayout>{{"a", 1, 2}, {"a", 2, 1}}));
  EXPECT_EQ(layouts_to_try("a", 1, 0, 0), (std::vector<RuntimeLayout>{{"a", 1, 1}}));
  EXPECT_EQ(layouts_to_try("a", 16, 0, 0),
            (std::vector<RuntimeLayout>{{"a", 1, 16}, {"a", 2, 8}, {"a", 8, 2}, {"a", 16, 1}}));
}

TEST(RuntimeChoice, WhatIsSettledStays) {
  EXPECT_EQ(layouts_to_try("a", 4, 3, 0), (std::vector<RuntimeLayout>{{"a", 3, 1}}));
  EXPECT_EQ(layouts_to_try("a", 4, 2, 5), (std::vector<RuntimeLayout>{{"a", 2, 5}}));
}

TEST(RuntimeChoice, FewRowsInFlightUseFewInstances) {
  const auto two = candidate(kOneEach, {{1, 200, 10}, {8, 800, 20}});
  EXPECT_DOUBLE_EQ(served_rate(two, 1), 100);
  EXPECT_DOUBLE_EQ(served_rate(two, 0.1), 100);
  EXPECT_DOUBLE_EQ(served_rate(two, 2), 200);
  EXPECT_DOUBLE_EQ(served_rate(two, 15), 200);
  EXPECT_DOUBLE_EQ(served_rate(two, 16), 800);
}

TEST(RuntimeChoice, BatchesAreNoLargerThanPays) {
  EXPECT_DOUBLE_EQ(served_rate(candidate(kTogether, {{1, 100, 10}, {2, 150, 13}, {4, 90, 44}}), 64), 150);
}

TEST(RuntimeChoice, DependsOnTheTraffic) {
  const std::vector<RuntimeCandidate> all{candidate(kOneEach, {{1, 200, 10}}), candidate(kTogether, {{1, 150, 6.7}})};
  EXPECT_EQ(choose_runtime(all, kOneEach, 1).best, 1U);
  EXPECT_DOUBLE_EQ(choose_runtime(all, kOneEach, 1).gain, 1.5);
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).best, 0U);
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).gain, 1);
}

TEST(RuntimeChoice, WhatIsOutIsNotChosen) {
  std::vector<RuntimeCandidate> all{candidate(kOneEach, {{1, 200, 10}}), candidate(kOther, {{1, 900, 2}})};
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).best, 1U);
  all[1].excluded = "it answers differently";
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).best, 0U);
}

TEST(RuntimeChoice, NoiseChangesNothing) {
  const std::vector<RuntimeCandidate> all{candidate(kOneEach, {{1, 200, 10}}), candidate(kOther, {{1, 203, 10}})};
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).best, 0U);
  EXPECT_EQ(choose_runtime(all, kOther, 8).best, 1U);
  EXPECT_EQ(choose_runtime(all, {"c", 1, 1}, 8).gain, 1);
}

TEST(RuntimeChoice, OtherSharesOfTheCoresAreDoubtedMoreThanOtherRuntimes) {
  const RuntimeLayout other_together{"b", 2, 1};
  const std::vector<RuntimeCandidate> all{candidate(kOneEach, {{1, 200, 10}}), candidate(kOther, {{1, 300, 7}}),
                                          candidate(other_together, {{1, 340, 3}})};
  EXPECT_EQ(choose_runtime(all, kOneEach, 8, 1.15).best, 1U);
  EXPECT_EQ(choose_runtime(all, kOneEach, 8).best, 2U);
}

TEST(RuntimeChoice, WhatWasNeverMeasuredCountsAsTheReference) {
  const std::vector<RuntimeCandidate> all{candidate(kOneEach, {{1, 200, 10}}), candidate(kOther, {{1, 400, 10}})};
  EXPECT_DOUBLE_EQ(choose_runtime(all, {"c", 1, 1}, 8).gain, 2);
}

}  // namespace
}  // namespace modelmill
