#include "shape_ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace modelmill::ov {
namespace {

using Sizes = std::vector<int64_t>;

constexpr double kCompile = 0.15;

/// An instance whose executions cost what a test says, and whose models are there at once.
class World {
 public:
  double open_cost = 0.001, own_cost = 0.0005;
  bool can_be_made = true;

  void run(const Sizes& shape, int times = 1) {
    for (int i = 0; i < times; ++i) {
      const size_t place = ledger_.meet(shape);
      ASSERT_LT(place, ShapeLedger::kPlaces);
      if (const auto own = own_.find(place); own != own_.end()) {
        ASSERT_EQ(own->second, shape) << "another's model";
      }
      const auto step = ledger_.ran(place, own_.contains(place) ? own_cost : open_cost);
      if (step.drop) {
        ASSERT_EQ(own_.erase(*step.drop), 1u);
      }
      if (!step.make) continue;
      ++made_;
      if (can_be_made) own_[place] = shape;
      ledger_.made(place, can_be_made);
      ASSERT_LE(own_.size(), ShapeLedger::kMostOwn);
    }
  }
  bool has_own(const Sizes& shape) const {
    return std::any_of(own_.begin(), own_.end(), [&](const auto& own) { return own.second == shape; });
  }
  int made() const { return made_; }
  size_t own() const { return own_.size(); }

 private:
  ShapeLedger ledger_{kCompile};
  std::map<size_t, Sizes> own_;
  int made_ = 0;
};

TEST(ShapeLedger, AShapeIsTriedOnceItHasCostWhatCompilingCosts) {
  World world;
  world.run({1, 8}, 150);
  EXPECT_EQ(world.made(), 0) << "the first does not count";
  world.run({1, 8}, 2);
  EXPECT_EQ(world.made(), 1);
  world.run({1, 8}, 10'000);
  EXPECT_EQ(world.made(), 1);
  EXPECT_TRUE(world.has_own({1, 8}));
}

TEST(ShapeLedger, FewLongExecutionsAreNotEnough) {
  World world;
  world.open_cost = 1;
  world.run({1, 8}, 32);
  EXPECT_EQ(world.made(), 0);
  world.run({1, 8}, 1);
  EXPECT_EQ(world.made(), 1);
}

TEST(ShapeLedger, WhatDoesNotPayIsDroppedAndEndsIt) {
  for (const double own_cost : {0.00095, 0.002}) {
    World world;
    world.own_cost = own_cost;
    world.run({1, 8}, 1'000);
    EXPECT_EQ(world.made(), 1);
    EXPECT_EQ(world.own(), 0u);
    world.run({2, 8}, 1'000);
    EXPECT_EQ(world.made(), 1);
  }
}

TEST(ShapeLedger, WhatPaidStaysWhenAnotherDoesNot) {
  World world;
  world.run({1, 8}, 1'000);
  world.own_cost = world.open_cost;
  world.run({2, 8}, 1'000);
  EXPECT_TRUE(world.has_own({1, 8}));
  EXPECT_FALSE(world.has_own({2, 8}));
}

TEST(ShapeLedger, OtherNumbersOfRowsFollowTheOneThatPaid) {
  struct Case {
    const char* what;
    Sizes shape;
    bool follows;
  };
  const Case cases[] = {
      {"more rows", {4, 8, 4, 16}, true},
      {"one input is not batched", {4, 8, 1, 16}, true},
      {"another length", {1, 9, 1, 16}, false},
      {"more rows of another length", {4, 9, 4, 16}, false},
      {"inputs of unequal rows", {4, 8, 2, 16}, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    World world;
    world.run(c.shape, 10);
    EXPECT_EQ(world.made(), 0) << "nothing has paid yet";
    world.run({1, 8, 1, 16}, 1'000);
    world.run(c.shape);
    EXPECT_EQ(world.has_own(c.shape), c.follows);
  }
}

TEST(ShapeLedger, WhatCantBeMadeEndsIt) {
  World world;
  world.can_be_made = false;
  for (const int64_t rows : {1, 2, 3}) world.run({rows, 8}, 1'000);
  EXPECT_EQ(world.made(), 1);
}

TEST(ShapeLedger, SoManyAtATime) {
  World world;
  for (int64_t rows = 1; rows <= 8; ++rows) world.run({rows, 8}, 1'000);
  EXPECT_EQ(world.own(), ShapeLedger::kMostOwn);
  EXPECT_FALSE(world.has_own({8, 8}));
}

TEST(ShapeLedger, WhatIsNotAskedForAnyMoreMakesRoom) {
  World world;
  for (int64_t rows = 1; rows <= 4; ++rows) world.run({rows, 8}, 1'000);
  world.run({9, 8}, 20'000);
  EXPECT_TRUE(world.has_own({9, 8}));
  EXPECT_EQ(world.own(), ShapeLedger::kMostOwn);
}

TEST(ShapeLedger, ModelsKeepTheirShapesUnderAnyTraffic) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    World world;
    for (int i = 0; i < 20'000; ++i) {
      world.own_cost = std::uniform_real_distribution<double>(0.0002, 0.0009)(random);
      world.run({static_cast<int64_t>(std::exponential_distribution<double>(0.15)(random)) + i / 5'000, 8});
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace modelmill::ov
