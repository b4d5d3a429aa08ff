#include "lifecycle/instance_scaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <random>
#include <vector>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTick = 250ms;

/// A version under a load, as the scaler sees it: `capacity(n)` rows a second are done by n instances, one row takes
/// n / capacity(n) seconds, and what comes beyond waits.
class World {
 public:
  World(const InstanceLimits& limits, std::function<double(int)> capacity)
      : scaler_(limits), capacity_(std::move(capacity)) {
    load_.instances = std::max(1, limits.min);
    (void)scaler_.observe(now_, load_);
  }

  /// Goes on for some ticks under so many rows a second; the changes there were.
  int run(int ticks, double arrivals) {
    int changes = 0;
    for (int i = 0; i < ticks; ++i) {
      now_ += kTick;
      const double seconds = to_seconds(kTick);
      const double able = load_.instances > 0 ? capacity_(load_.instances) * seconds : 0;
      const double wanted = waiting_ + arrivals * seconds;
      const double done = std::min(able, wanted);
      waiting_ = wanted - done;
      done_ += done;
      load_.rows = static_cast<int64_t>(done_);
      load_.pending = static_cast<int64_t>(waiting_);
      const double share = able > 0 ? done / able : 0;
      load_.busy_time += std::chrono::nanoseconds(static_cast<int64_t>(share * seconds * load_.instances * 1e9));
      load_.busy = static_cast<int>(std::lround(share * load_.instances));
      const auto decision = scaler_.observe(now_, load_, nullptr, gain_(load_.instances));
      if (decision.reason.empty()) continue;
      ++changes;
      last_reason_ = decision.reason;
      kinds_.push_back(decision.kind);
      load_.instances = std::min(decision.instances, room_);
      if (load_.instances < decision.instances) scaler_.held_back(now_, load_.instances);
      most_ = std::max(most_, load_.instances);
    }
    return changes;
  }
  int instances() const { return load_.instances; }
  int most() const { return most_; }
  const std::string& reason() const { return last_reason_; }
  const std::vector<ScalingReason>& kinds() const { return kinds_; }
  void forget_backlog() { waiting_ = 0; }
  /// What is known of what one more brings.
  void set_gain(std::function<std::optional<double>(int)> gain) { gain_ = std::move(gain); }
  /// More instances than so many can't be made.
  void set_room(int room) { room_ = room; }

 private:
  InstanceScaler scaler_;
  std::function<double(int)> capacity_;
  std::function<std::optional<double>(int)> gain_ = [](int) { return std::optional<double>(); };
  TimePoint now_{100s};
  InstanceLoad load_;
  double waiting_ = 0, done_ = 0;
  int most_ = 0;
  int room_ = 1'000;
  std::string last_reason_;
  std::vector<ScalingReason> kinds_;
};

double each_100(int n) { return 100.0 * n; }

TEST(InstanceScaler, StaysWhereTheLoadIsLight) {
  World world({1, 8, {}}, each_100);
  EXPECT_EQ(world.run(1'000, 70), 0);
  EXPECT_EQ(world.instances(), 1);
}

TEST(InstanceScaler, GrowsWithTheLoadAndShrinksAfterIt) {
  World world({1, 8, {}}, each_100);
  world.run(200, 350);
  EXPECT_GE(world.instances(), 4);
  EXPECT_LE(world.instances(), 6);
  world.forget_backlog();
  world.run(400, 30);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_EQ(world.reason(), "one fewer is enough");
}

TEST(InstanceScaler, KeepsToItsLimits) {
  World world({2, 3, {}}, each_100);
  EXPECT_EQ(world.instances(), 2);
  world.run(100, 10'000);
  EXPECT_EQ(world.instances(), 3);
  world.forget_backlog();
  world.run(1'000, 0);
  EXPECT_EQ(world.instances(), 2);
}

TEST(InstanceScaler, GivesBackWhatBringsNothing) {
  // Two cores: a third instance only shares them.
  World world({1, 8, {}}, [](int n) { return 100.0 * std::min(n, 2); });
  world.run(100, 1'000);
  EXPECT_EQ(world.instances(), 2);
  EXPECT_EQ(world.most(), 3) << "it was tried";
  EXPECT_EQ(world.reason(), "one more brought nothing");
  EXPECT_EQ(world.kinds(), (std::vector{ScalingReason::kBusy, ScalingReason::kBusy, ScalingReason::kNoGain}));
  EXPECT_EQ(world.run(800, 1'000), 0) << "and is not tried again at once";
}

TEST(InstanceScaler, AsksWhatOneMoreWouldBring) {
  const struct {
    std::optional<double> gain;
    int instances;
  } cases[] = {{std::nullopt, 2}, {2.0, 2}, {1.05, 2}, {1.04, 1}, {1.0, 1}, {0.5, 1}};
  for (const auto& c : cases) {
    InstanceScaler scaler({1, 4, {}});
    TimePoint now{100s};
    InstanceLoad load{1, 0, 0, {}, 0};
    (void)scaler.observe(now, load);
    for (int look = 0; look < 2; ++look) {
      load.pending = 10;
      load.busy = load.instances;
      load.rows += 100;
      load.busy_time += kTick;
      const auto decision = scaler.observe(now += kTick, load, nullptr, c.gain);
      EXPECT_EQ(decision.reason.empty(), look == 0 || c.instances == 1);
      load.instances = decision.instances;
    }
    EXPECT_EQ(load.instances, c.instances) << c.gain.value_or(-1);
    // Known to bring something after all, it is added at once.
    if (c.instances > 1) continue;
    load.rows += 100;
    load.busy_time += kTick;
    EXPECT_EQ(scaler.observe(now += kTick, load, nullptr, 1.5).instances, 2);
  }
}

TEST(InstanceScaler, WhatIsKnownToBringNothingIsNeverTried) {
  World world({1, 8, {}}, [](int n) { return 100.0 * std::min(n, 2); });
  world.set_gain([](int n) { return n < 2 ? std::optional<double>() : 1.0; });
  EXPECT_EQ(world.run(2'000, 1'000), 1);
  EXPECT_EQ(world.instances(), 2);
  EXPECT_EQ(world.most(), 2);
}

TEST(InstanceScaler, TriesAgainLater) {
  double cores = 2;
  World world({1, 8, {}}, [&](int n) { return 100.0 * std::min<double>(n, cores); });
  world.run(100, 1'000);
  EXPECT_EQ(world.instances(), 2);
  cores = 4;
  world.run(2'000, 1'000);
  EXPECT_EQ(world.instances(), 4);
}

TEST(InstanceScaler, WhatIsHeldBackIsNotTriedAllTheTimeAndCostsNoInstance) {
  World world({1, 8, {}}, each_100);
  world.set_room(2);
  world.run(20, 1'000);
  EXPECT_EQ(world.instances(), 2);
  EXPECT_LE(world.run(400, 1'000), 10) << "once in ten seconds";
  EXPECT_EQ(world.instances(), 2) << "what could not be made is not taken for one that brought nothing";
  world.set_room(4);
  world.run(200, 1'000);
  EXPECT_EQ(world.instances(), 4);
}

TEST(InstanceScaler, DoesNotSwing) {
  for (const double arrivals : {50.0, 95.0, 105.0, 155.0, 199.0, 210.0, 290.0}) {
    World world({1, 8, {}}, each_100);
    world.run(100, arrivals);
    EXPECT_LE(world.run(2'000, arrivals), 2) << arrivals;
  }
}

TEST(InstanceScaler, GoesToZeroWhenIdleAndComesBack) {
  World world({0, 4, 10s}, each_100);
  world.run(39, 0);
  EXPECT_EQ(world.instances(), 1);
  world.run(2, 0);
  EXPECT_EQ(world.instances(), 0);
  EXPECT_EQ(world.run(1'000, 0), 0);
  world.run(1, 10);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_EQ(world.reason(), "a request waits");
  EXPECT_EQ(world.kinds(), (std::vector{ScalingReason::kIdle, ScalingReason::kRequest}));
  world.run(100, 10);
  EXPECT_EQ(world.instances(), 1) << "a request now and then keeps it";
}

TEST(InstanceScaler, NeverToZeroUnasked) {
  World world({1, 4, {}}, each_100);
  world.run(10'000, 0);
  EXPECT_EQ(world.instances(), 1);
}

TEST(InstanceScaler, StaysInItsLimitsUnderAnyLoad) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    World world({1, 6, {}}, [](int n) { return 100.0 * std::min(n, 4); });
    for (int i = 0; i < 200; ++i) {
      world.run(std::uniform_int_distribution<int>(1, 30)(random),
                std::exponential_distribution<double>(1 / 200.0)(random));
      ASSERT_GE(world.instances(), 1) << "seed " << seed;
      ASSERT_LE(world.instances(), 6) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace modelmill
