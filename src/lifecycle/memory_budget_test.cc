#include "lifecycle/memory_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<ResidentModel> kResidents = {{"old", 30, 1, true}, {"pinned", 20, 0, false}, {"new", 40, 9, true}};

TEST(MemoryBudgetTest, NothingGoesWhileThereIsRoom) {
  EXPECT_THAT(make_room(kResidents, 0, 100, "m", 10).value(), IsEmpty());
}

TEST(MemoryBudgetTest, TheLeastRecentlyUsedGoAndNoMoreThanItTakes) {
  EXPECT_THAT(make_room(kResidents, 0, 100, "m", 11).value(), ElementsAre("old"));
  EXPECT_THAT(make_room(kResidents, 0, 100, "m", 40).value(), ElementsAre("old"));
  EXPECT_THAT(make_room(kResidents, 0, 100, "m", 41).value(), ElementsAre("old", "new"));
}

TEST(MemoryBudgetTest, WhatLeavesAlreadyCounts) {
  // 25 of the pinned one's bytes can't leave, but another version of it may be on its way out.
  EXPECT_THAT(make_room(kResidents, 20, 100, "m", 30).value(), IsEmpty());
}

TEST(MemoryBudgetTest, WhatDoesNotFitIsRefusedWithTheNumbers) {
  const auto refused = make_room(kResidents, 0, 100, "m", 81);
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.status().message(), HasSubstr("model 'm' needs 81 B"));
  EXPECT_THAT(refused.status().message(), HasSubstr("of the 100 B that models may take 20 B are taken"));
}

TEST(MemoryBudgetTest, AModelDoesNotMakeRoomForItself) {
  EXPECT_THAT(make_room(kResidents, 0, 100, "old", 40).value(), IsEmpty()) << "what it has already is in the number";
  EXPECT_THAT(make_room(kResidents, 0, 100, "old", 60).value(), ElementsAre("new"));
  EXPECT_EQ(make_room(kResidents, 0, 100, "old", 81).status().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace modelmill
