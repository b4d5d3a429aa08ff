#include "route/sticky_choice.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/stable_hash.h"

namespace modelmill {
namespace {

constexpr int kKeys = 100'000;

std::vector<WeightedChoice> arms(const std::vector<double>& weights) {
  std::vector<WeightedChoice> out;
  for (size_t i = 0; i < weights.size(); ++i) out.push_back({stable_hash("arm-" + std::to_string(i)), weights[i]});
  return out;
}

uint64_t key_of(int user, const std::string& salt = "reader") {
  return stable_hash(stable_hash(salt), "user-" + std::to_string(user));
}

std::vector<size_t> assign(const std::vector<double>& weights, const std::string& salt = "reader") {
  std::vector<size_t> out;
  const auto choices = arms(weights);
  for (int user = 0; user < kKeys; ++user) out.push_back(choose_by_key(key_of(user, salt), choices));
  return out;
}

double share(const std::vector<size_t>& assigned, size_t arm) {
  size_t n = 0;
  for (const size_t one : assigned) n += one == arm;
  return 100.0 * static_cast<double>(n) / kKeys;
}

/// Five standard deviations of a share of so many keys, in percent.
double slack(double percent) { return 5 * std::sqrt(percent * (100 - percent) / kKeys); }

TEST(StickyChoice, NobodyLeavesAnArmThatGrows) {
  std::vector<size_t> before = assign({95, 5});
  EXPECT_NEAR(share(before, 1), 5, slack(5));
  for (const double grown : {10.0, 25.0, 50.0, 75.0, 100.0}) {
    const std::vector<size_t> after = assign({100 - grown, grown});
    int left = 0;
    for (int user = 0; user < kKeys; ++user) left += before[user] == 1 && after[user] != 1;
    EXPECT_EQ(left, 0) << "at " << grown;
    EXPECT_NEAR(share(after, 1), grown, slack(grown));
    before = after;
  }
}

TEST(StickyChoice, OneOfManyGrowsAndNobodyComesBack) {
  const std::vector<std::vector<double>> steps{{60, 30, 5, 5}, {40, 20, 5, 35}, {10, 5, 0, 85}, {0, 0, 0, 100}};
  std::vector<size_t> before = assign(steps[0]);
  for (size_t step = 1; step < steps.size(); ++step) {
    const std::vector<size_t> after = assign(steps[step]);
    int left = 0;
    for (int user = 0; user < kKeys; ++user) left += before[user] == 3 && after[user] != 3;
    EXPECT_EQ(left, 0) << "step " << step;
    for (size_t arm = 0; arm < 4; ++arm)
      EXPECT_NEAR(share(after, arm), steps[step][arm], slack(steps[step][arm]) + 1e-9);
    before = after;
  }
}

TEST(StickyChoice, RollingBackBringsEverybodyBack) {
  EXPECT_EQ(assign({95, 5}), assign({95, 5}));
  const std::vector<size_t> before = assign({95, 5}), grown = assign({50, 50});
  int moved = 0;
  for (int user = 0; user < kKeys; ++user) moved += before[user] != grown[user];
  EXPECT_NEAR(100.0 * moved / kKeys, 45, slack(45));  // no more than has to
}

TEST(StickyChoice, SaltsMakeAssignmentsIndependent) {
  const std::vector<size_t> one = assign({50, 50}, "one"), other = assign({50, 50}, "other");
  int same = 0;
  for (int user = 0; user < kKeys; ++user) same += one[user] == other[user];
  EXPECT_NEAR(100.0 * same / kKeys, 50, slack(50));
}

/// People's assignments must outlast releases: these numbers never change.
TEST(StickyChoice, HashesAreStable) {
  EXPECT_EQ(stable_hash(""), stable_hash(std::string_view()));
  EXPECT_EQ(stable_hash("user-1"), 17396716259063309781ULL);
  EXPECT_EQ(stable_hash(7, "user-1"), 14201742217117682219ULL);
}

TEST(ChoiceByChance, LaysTheWeightsOneAfterTheOther) {
  struct Case {
    double place;
    size_t chosen;
  };
  const auto choices = arms({0, 25, 75, 0});
  for (const Case& c : std::array<Case, 5>{{{0, 1}, {0.2499, 1}, {0.25, 2}, {0.75, 2}, {0.999999, 2}}})
    EXPECT_EQ(choose_by_chance(c.place, choices), c.chosen) << c.place;
}

}  // namespace
}  // namespace modelmill
