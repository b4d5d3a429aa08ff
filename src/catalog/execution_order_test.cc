#include "catalog/execution_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Runner = ExecutionOrder::Runner;

const ResourceKey kR{0, "R"}, kS{0, "S"};

struct Order : testing::Test {
  Runner& add(ResourceCounts needs, uint64_t priority = 1) {
    needs_.push_back(std::move(needs));
    return runners_.emplace_back(Runner{&needs_.back(), priority});
  }
  std::deque<ResourceCounts> needs_;
  std::deque<Runner> runners_;
  ExecutionOrder order_;
};

TEST_F(Order, AllIsTakenAtOnceOrNothing) {
  order_.set_limits({{kR, 1}, {kS, 1}});
  Runner& both = add({{kR, 1}, {kS, 1}});
  Runner& one = add({{kS, 1}});
  order_.wait(one);
  EXPECT_THAT(order_.grant(), ElementsAre(&one));
  order_.wait(both);
  EXPECT_THAT(order_.grant(), IsEmpty());
  EXPECT_EQ(order_.taken(kR), 0) << "who waits holds nothing";
  order_.give_back(one, true);
  EXPECT_THAT(order_.grant(), ElementsAre(&both));
  EXPECT_EQ(order_.taken(kR), 1);
  order_.give_back(both, true);
  EXPECT_EQ(order_.taken(kS), 0);
}

TEST_F(Order, WhoNeedsMuchIsNotOvertakenByThoseWhoNeedLittle) {
  order_.set_limits({{kR, 4}, {kS, 1}});
  Runner& small = add({{kR, 1}});
  Runner& large = add({{kR, 4}});
  Runner& other = add({{kR, 1}});
  Runner& elsewhere = add({{kS, 1}});
  order_.wait(small);
  ASSERT_THAT(order_.grant(), ElementsAre(&small));
  order_.wait(large);
  order_.wait(other);
  order_.wait(elsewhere);
  EXPECT_THAT(order_.grant(), ElementsAre(&elsewhere)) << "what those before don't need is to be had";
  order_.give_back(small, true);
  EXPECT_THAT(order_.grant(), ElementsAre(&large));
  order_.give_back(large, true);
  EXPECT_THAT(order_.grant(), ElementsAre(&other));
}

TEST_F(Order, WhoLeavesHoldsNobodyUp) {
  order_.set_limits({{kR, 2}});
  Runner& one = add({{kR, 1}});
  Runner& two = add({{kR, 2}});
  Runner& three = add({{kR, 1}});
  order_.wait(one);
  ASSERT_THAT(order_.grant(), ElementsAre(&one));
  order_.wait(two);
  order_.wait(three);
  ASSERT_THAT(order_.grant(), IsEmpty());
  order_.leave(two);
  EXPECT_THAT(order_.grant(), ElementsAre(&three));
}

TEST_F(Order, PrioritiesDivideTheRuns) {
  order_.set_limits({{kR, 1}});
  std::vector<Runner*> all = {&add({{kR, 1}}, 1), &add({{kR, 1}}, 2), &add({{kR, 1}}, 4)};
  std::map<Runner*, int> runs;
  for (Runner* runner : all) order_.wait(*runner);
  for (int i = 0; i < 700; ++i) {
    const auto granted = order_.grant();
    ASSERT_EQ(granted.size(), 1U);
    ++runs[granted.front()];
    order_.give_back(*granted.front(), true);
    order_.wait(*granted.front());
  }
  EXPECT_NEAR(runs[all[0]], 400, 2);
  EXPECT_NEAR(runs[all[1]], 200, 2);
  EXPECT_NEAR(runs[all[2]], 100, 2);
}

TEST_F(Order, NobodySavesUpTurns) {
  order_.set_limits({{kR, 1}});
  Runner& busy = add({{kR, 1}});
  Runner& fresh = add({{kR, 1}});
  const auto run = [&](Runner& runner) {
    order_.give_back(runner, true);
    order_.wait(runner);
  };
  order_.wait(busy);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_THAT(order_.grant(), ElementsAre(&busy));
    run(busy);
  }
  order_.wait(fresh);
  int of_fresh = 0;
  for (int i = 0; i < 10; ++i) {
    const auto granted = order_.grant();
    of_fresh += granted.front() == &fresh ? 1 : 0;
    run(*granted.front());
  }
  EXPECT_EQ(of_fresh, 5) << "it takes turns with the other from the first on";
}

TEST_F(Order, WhatWasNotUsedCountsForNothing) {
  order_.set_limits({{kR, 1}});
  Runner& one = add({{kR, 1}});
  order_.wait(one);
  (void)order_.grant();
  order_.give_back(one, false);
  EXPECT_EQ(one.runs, 0U);
}

/// Many that need different things, in simulated time: there is never more taken than there is, and everyone gets on.
TEST_F(Order, EveryoneGetsItsTurnAndNothingIsTakenTwice) {
  const char* given = std::getenv("MODELMILL_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  for (int round = 0; round < 50; ++round) {
    ExecutionOrder order;
    std::deque<ResourceCounts> needs;
    std::deque<Runner> runners;
    ResourceCounts limits;
    const std::vector<ResourceKey> keys = {{0, "R"}, {0, "S"}, {1, "R"}, {ResourceKey::kGlobal, "G"}};
    for (int i = 0; i < pick(2, 12); ++i) {
      ResourceCounts& mine = needs.emplace_back();
      for (const ResourceKey& key : keys)
        if (pick(0, 1) == 1) mine[key] = pick(1, 5);
      if (mine.empty()) mine[keys[0]] = 1;
      for (const auto& [key, count] : mine) limits[key] = std::max(limits[key], count);
      runners.push_back(Runner{&mine, static_cast<uint64_t>(pick(1, 3))});
    }
    for (auto& [key, limit] : limits) limit += pick(0, 4);
    order.set_limits(limits);
    std::map<int64_t, std::vector<Runner*>> ends;  // of those that run, by time
    std::map<Runner*, int> runs;
    for (Runner& runner : runners) order.wait(runner);
    int64_t now = 0;
    for (int step = 0; step < 2'000; ++step) {
      for (Runner* runner : order.grant()) ends[now + pick(1, 20)].push_back(runner);
      ResourceCounts taken;
      for (const auto& [at, running] : ends)
        for (const Runner* runner : running)
          for (const auto& [key, count] : *runner->needs) taken[key] += count;
      for (const auto& [key, limit] : limits) {
        ASSERT_LE(taken[key], limit);
        ASSERT_EQ(order.taken(key), taken[key]);
      }
      ASSERT_FALSE(ends.empty()) << "somebody can always run";
      now = ends.begin()->first;
      const auto over = ends.extract(ends.begin());
      for (Runner* runner : over.mapped()) {
        order.give_back(*runner, true);
        ++runs[runner];
        order.wait(*runner);
      }
    }
    for (Runner& runner : runners) ASSERT_GT(runs[&runner], 20) << "round " << round;
  }
}

}  // namespace
}  // namespace modelmill
