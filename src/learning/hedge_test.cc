#include "learning/hedge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "model/ensemble_definition.h"

namespace modelmill {
namespace {

/// The losses of one round, knowing the weights: an adversary may.
using Losses = std::function<std::vector<double>(size_t round, const std::vector<double>& weights)>;

struct Played {
  double own = 0;               // of the weighted mean
  std::vector<double> members;  // of each alone
  std::vector<std::vector<double>> rounds;
  std::vector<double> weights;
};

Played play(size_t members, size_t rounds, const HedgeSettings& settings, const Losses& losses) {
  Played out;
  out.members.assign(members, 0);
  out.weights.assign(members, 1.0 / static_cast<double>(members));
  std::vector<size_t> awake(members);
  std::iota(awake.begin(), awake.end(), size_t{0});
  for (size_t t = 0; t < rounds; ++t) {
    const std::vector<double> loss = losses(t, out.weights);
    for (size_t m = 0; m < members; ++m) {
      out.own += out.weights[m] * loss[m];
      out.members[m] += loss[m];
    }
    out.rounds.push_back(loss);
    hedge_round(out.weights, awake, loss, settings);
    EXPECT_NEAR(std::accumulate(out.weights.begin(), out.weights.end(), 0.0), 1, 1e-9);
    for (const double weight : out.weights) EXPECT_GE(weight, std::max(settings.floor, kLeastWeight) * (1 - 1e-9));
  }
  return out;
}

Losses random_losses(uint32_t seed, double good) {
  const auto engine = std::make_shared<std::mt19937>(seed);
  return [engine, good](size_t, const std::vector<double>& weights) {
    std::uniform_real_distribution<double> uniform(0, 1);
    std::vector<double> out;
    for (size_t m = 0; m < weights.size(); ++m) out.push_back(uniform(*engine) * (m == 1 ? good : 1));
    return out;
  };
}

/// Whoever has the most weight is wrong, and nobody else.
std::vector<double> against_the_leader(size_t, const std::vector<double>& weights) {
  std::vector<double> out(weights.size(), 0);
  out[static_cast<size_t>(std::max_element(weights.begin(), weights.end()) - weights.begin())] = 1;
  return out;
}

/// Two that are right in turns, in phases that double.
std::vector<double> in_phases(size_t round, const std::vector<double>& weights) {
  std::vector<double> out(weights.size(), 1);
  out[static_cast<size_t>(std::floor(std::log2(static_cast<double>(round) + 1))) % 2] = 0;
  return out;
}

TEST(HedgeTest, ItsRegretIsWithinTheBound) {
  for (const size_t members : {2U, 3U, 10U, 50U}) {
    for (const size_t rounds : {100U, 3'000U}) {
      const double n = std::log(static_cast<double>(members)), t = static_cast<double>(rounds);
      const HedgeSettings settings{std::sqrt(8 * n / t), 0};
      for (const Losses& losses :
           {random_losses(1, 1), random_losses(2, 0.5), Losses(against_the_leader), Losses(in_phases)}) {
        const Played played = play(members, rounds, settings, losses);
        const double best = *std::min_element(played.members.begin(), played.members.end());
        EXPECT_LE(played.own - best, std::sqrt(t * n / 2) + 1e-6) << members << " members, " << rounds << " rounds";
      }
    }
  }
}

/// The least loss of those who may change whom they follow so many times.
double best_with_switches(const std::vector<std::vector<double>>& rounds, size_t switches) {
  const size_t members = rounds.front().size();
  std::vector<std::vector<double>> least(switches + 1, std::vector<double>(members, 0));
  for (const std::vector<double>& loss : rounds) {
    auto next = least;
    for (size_t k = 0; k <= switches; ++k)
      for (size_t m = 0; m < members; ++m) {
        double from = least[k][m];
        if (k > 0) from = std::min(from, *std::min_element(least[k - 1].begin(), least[k - 1].end()));
        next[k][m] = from + loss[m];
      }
    least = std::move(next);
  }
  return *std::min_element(least.back().begin(), least.back().end());
}

TEST(HedgeTest, WithAFloorItFollowsWhoIsBestNow) {
  constexpr size_t kMembers = 4, kRounds = 2'000, kPhases = 5;
  const HedgeSettings settings{0.3, 0.002};
  std::mt19937 engine(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto losses = [&](size_t round, const std::vector<double>&) {
    std::vector<double> out(kMembers);
    const size_t good = round * kPhases / kRounds % kMembers;
    for (size_t m = 0; m < kMembers; ++m) out[m] = uniform(engine) < (m == good ? 0.1 : 0.6) ? 1 : 0;
    return out;
  };
  const Played played = play(kMembers, kRounds, settings, losses);
  const double n = kMembers, t = kRounds, k = kPhases - 1;
  // Each switch moves away by no more than log(1 / floor) from weights that are all at the floor but that of the best,
  // and those lose by what is at the floor.
  const double bound = (std::log(n) + k * std::log(1 / settings.floor)) / settings.rate + settings.rate * t / 8 +
                       (n - 1) * settings.floor * t;
  EXPECT_LE(played.own, best_with_switches(played.rounds, kPhases - 1) + bound);
  const double plain = play(kMembers, kRounds, {settings.rate, 0}, [&](size_t round, const std::vector<double>&) {
                         return played.rounds[round];
                       }).own;
  EXPECT_LT(played.own, plain) << "without a floor it clings to who was best";
}

TEST(HedgeTest, WhoSleepsKeepsItsWeight) {
  std::vector<double> weights{0.2, 0.3, 0.5};
  const std::vector<size_t> awake{0, 2};
  hedge_round(weights, awake, std::vector<double>{1, 0}, {0.7, 0});
  EXPECT_NEAR(weights[1], 0.3, 1e-9);
  EXPECT_NEAR(weights[0] + weights[2], 0.7, 1e-9);
  EXPECT_NEAR(weights[0] / weights[2], 0.4 * std::exp(-0.7), 1e-9);
  std::vector<double> lifted{0.2, 0.3, 0.5};
  for (int i = 0; i < 100; ++i) hedge_round(lifted, awake, std::vector<double>{1, 0}, {0.7, 0.05});
  EXPECT_NEAR(lifted[0], 0.05, 1e-9);
  EXPECT_NEAR(lifted[1], 0.3, 1e-9) << "the floor of others costs it nothing";
  const std::vector<double> before = weights;
  hedge_round(weights, {}, {}, {0.7, 0.1});
  EXPECT_EQ(weights, before) << "nobody has said anything";
}

TEST(HedgeTest, NothingIsLostForGoodWithoutAFloor) {
  std::vector<double> weights{0.5, 0.5};
  const std::vector<size_t> awake{0, 1};
  for (int i = 0; i < 10'000; ++i) hedge_round(weights, awake, std::vector<double>{0, 1}, {10, 0});
  EXPECT_GT(weights[1], 0);
  for (int i = 0; i < 10; ++i) hedge_round(weights, awake, std::vector<double>{1, 0}, {10, 0});
  EXPECT_GT(weights[1], 0.99);
}

TEST(HedgeTest, TheFloorIsExact) {
  std::vector<double> weights{1, 0, 0, 0};
  lift_to_floor(weights, 0.05);
  EXPECT_NEAR(weights[0], 0.85, 1e-12);
  for (size_t m = 1; m < 4; ++m) EXPECT_NEAR(weights[m], 0.05, 1e-12);
}

TEST(HedgeTest, WhatIsAboveTheFloorKeepsItsRatios) {
  std::vector<double> weights{0.6, 0.3, 0.09, 0.01};
  lift_to_floor(weights, 0.05);
  EXPECT_NEAR(weights[3], 0.05, 1e-12);
  EXPECT_NEAR(weights[0] / weights[1], 2, 1e-12);
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-12);
  const std::vector<double> lifted = weights;
  lift_to_floor(weights, 0.05);
  for (size_t m = 0; m < 4; ++m) EXPECT_NEAR(weights[m], lifted[m], 1e-12) << "those at it stay";
  // Lifting the last one takes so much of the one before that it is too low as well.
  std::vector<double> chain{0.7, 0.201, 0.099, 0};
  lift_to_floor(chain, 0.2);
  EXPECT_NEAR(chain[0], 0.4, 1e-12);
  for (size_t m = 1; m < 4; ++m) EXPECT_NEAR(chain[m], 0.2, 1e-12);
  std::vector<double> narrow{1, 0, 0};
  lift_to_floor(narrow, 1.0 / 3);
  for (const double weight : narrow) EXPECT_NEAR(weight, 1.0 / 3, 1e-12);
}

TEST(HedgeTest, TheDefaultsFindTheBest) {
  const WeightLearning defaults;
  const Played played = play(3, 5'000, {defaults.rate, defaults.floor}, [](size_t, const std::vector<double>&) {
    return std::vector<double>{0.10, 0.05, 0.30};
  });
  EXPECT_GT(played.weights[1], 0.9);
  EXPECT_NEAR(played.weights[2], defaults.floor, 1e-9);
  const Played many = play(20, 5'000, {defaults.rate, defaults.floor}, [](size_t, const std::vector<double>& weights) {
    std::vector<double> out(weights.size(), 1);
    out[7] = 0;
    return out;
  });
  EXPECT_NEAR(many.weights[7], 1 - 19 * defaults.floor, 1e-9);
}

TEST(HedgeTest, WhoCountsForNothingMovesNothing) {
  std::vector<double> weights{1, 0, 0};
  hedge_round(weights, std::vector<size_t>{1, 2}, std::vector<double>{1, 0}, {0.5, 0});
  EXPECT_EQ(weights, (std::vector<double>{1, 0, 0}));
}

}  // namespace
}  // namespace modelmill
