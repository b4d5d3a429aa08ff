// What a moment's wait for what is about to come does, under clients that wait for their answers and under such that
// don't: batch_policy.h's decisions, on a simulated clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <random>

#include "schedule/arrival_forecast.h"
#include "schedule/batch_policy.h"
#include "schedule/cost_curve.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kBegin{std::chrono::seconds(100)};

struct Workload {
  std::function<Duration(int64_t rows, int running)> time;  // of an execution, beside so many in all
  int instances = 2;
  int clients = 0;             // that send again when they have their answer; 0: requests come at random
  double rate = 0;             // then so many a second
  Duration first_back = 40us;  // from the end of an execution to the first request of those whom it answered
  Duration between = 15us;     // and from one of them to the next
  bool gathers = true;
  Duration length = 4s;
};

struct Outcome {
  double rate = 0;       // requests a second
  double busy_us = 0;    // of instances, for each
  double mean_rows = 0;  // of a batch
  double mean_us = 0;    // from a request's arrival to its answer
};

/// One version on instances, one row a request.
class Simulated {
 public:
  Simulated(const Workload& work, unsigned seed)
      : work_(work), random_(seed), lanes_(static_cast<size_t>(work.instances)) {
    for (int64_t rows = 1; rows <= policy_.max_rows; rows *= 2)
      for (int i = 0; i < 4; ++i) curve_.learn(rows, work.time(rows, 1));
  }

  Outcome run() {
    for (int i = 0; i < work_.clients; ++i) coming_.push_back(now_ + i * 200us);
    if (work_.clients == 0) coming_.push_back(now_);
    const TimePoint end = now_ + work_.length;
    while (now_ < end) step();
    const double seconds = to_seconds(work_.length), done = static_cast<double>(done_);
    return {done / seconds, to_seconds(busy_) * 1e6 / done, done / batches_, to_seconds(waited_) * 1e6 / done};
  }

 private:
  struct Lane {
    std::vector<TimePoint> batch;  // when they came
    TimePoint began{}, ends{};
  };

  void step() {
    TimePoint next = look_again_;
    if (!coming_.empty()) next = std::min(next, *std::min_element(coming_.begin(), coming_.end()));
    for (const Lane& lane : lanes_)
      if (!lane.batch.empty()) next = std::min(next, lane.ends);
    now_ = next;
    for (Lane& lane : lanes_)
      if (!lane.batch.empty() && lane.ends <= now_) finish(lane);
    const auto due = std::stable_partition(coming_.begin(), coming_.end(), [this](TimePoint t) { return t > now_; });
    const auto arrived = coming_.end() - due;
    coming_.erase(due, coming_.end());
    for (auto i = arrived; i > 0; --i) {
      queue_.push_back(now_);
      forecast_.arrived(1, 0, static_cast<int64_t>(queue_.size()) + running_rows(), now_);
      if (work_.clients == 0) coming_.push_back(now_ + gap());
    }
    look_again_ = kNever;
    while (begin_one()) {
    }
  }

  Duration gap() {
    return std::chrono::nanoseconds(static_cast<int64_t>(1e9 * std::exponential_distribution<>(work_.rate)(random_)));
  }
  int64_t running_rows() const {
    int64_t rows = 0;
    for (const Lane& lane : lanes_) rows += static_cast<int64_t>(lane.batch.size());
    return rows;
  }
  int running() const {
    return static_cast<int>(
        std::count_if(lanes_.begin(), lanes_.end(), [](const Lane& l) { return !l.batch.empty(); }));
  }

  bool begin_one() {
    const auto free = std::find_if(lanes_.begin(), lanes_.end(), [](const Lane& l) { return l.batch.empty(); });
    if (queue_.empty() || free == lanes_.end()) return false;
    const std::vector<int64_t> rows(queue_.size(), 1);
    const LoadView load{.forecast = work_.gathers ? &forecast_ : nullptr, .running_rows = running_rows()};
    const BatchDecision d =
        decide(policy_, now_, {rows, queue_.front(), kNever}, {.idle = work_.instances - running()}, &curve_, load);
    if (d.action == BatchDecision::Action::kWait) {
      EXPECT_GT(d.until, now_);
      look_again_ = std::min(look_again_, d.until);
      return false;
    }
    if (d.goal > 0) forecast_.missed(static_cast<int64_t>(queue_.size()) + running_rows());
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(d.requests);
    free->batch.assign(queue_.begin(), end);
    queue_.erase(queue_.begin(), end);
    free->began = now_;
    free->ends = now_ + work_.time(static_cast<int64_t>(d.requests), running());
    return true;
  }

  void finish(Lane& lane) {
    const auto rows = static_cast<int64_t>(lane.batch.size());
    curve_.learn(rows, lane.ends - lane.began);
    forecast_.answered(now_);
    busy_ += lane.ends - lane.began;
    done_ += rows;
    ++batches_;
    for (int64_t i = 0; i < rows; ++i) {
      waited_ += now_ - lane.batch[static_cast<size_t>(i)];
      if (work_.clients > 0) coming_.push_back(now_ + work_.first_back + i * work_.between);
    }
    lane.batch.clear();
  }

  const Workload work_;
  std::mt19937 random_;
  const BatchPolicy policy_{.max_rows = 64};
  TimePoint now_ = kBegin, look_again_ = kNever;
  std::vector<TimePoint> coming_;
  std::deque<TimePoint> queue_;
  std::vector<Lane> lanes_;
  CostCurve curve_{64};
  ArrivalForecast forecast_;
  Duration busy_{}, waited_{};
  int64_t done_ = 0;
  double batches_ = 0;
};

Outcome simulate(const Workload& work, unsigned seed = 1) { return Simulated(work, seed).run(); }

Outcome at_once(Workload work, unsigned seed = 1) {
  work.gathers = false;
  return simulate(work, seed);
}

/// Nearly all of an execution is paid once; side by side they are in each other's way a little.
Duration mostly_fixed(int64_t rows, int running) { return (1'400us + rows * 200us) * (9 + running) / 10; }
Duration by_the_row(int64_t rows, int) { return rows * 500us; }

TEST(Gathering, ClientsThatComeBackTogetherRunTogether) {
  for (const int instances : {1, 2})
    for (const int clients : {4, 8, 32}) {
      SCOPED_TRACE(std::to_string(clients) + " clients, " + std::to_string(instances) + " instances");
      const Workload work{.time = mostly_fixed, .instances = instances, .clients = clients};
      const Outcome gathered = simulate(work), before = at_once(work);
      const int together = clients / instances;
      const Duration round = mostly_fixed(together, instances) + work.first_back + together * work.between;
      EXPECT_GE(gathered.mean_rows, 0.95 * together);
      EXPECT_GE(gathered.rate, 0.85 * clients / to_seconds(round));
      EXPECT_GE(gathered.rate, (clients > 8 ? 1.0 : 1.15) * before.rate);
      EXPECT_LE(gathered.busy_us, (clients > 8 ? 1.01 : 0.85) * before.busy_us);
      EXPECT_LE(gathered.mean_us, before.mean_us);
    }
}

/// Decisions about one request that came just now, where seven more are about to come.
BatchDecision decide_about_one(bool alone, Duration waited) {
  CostCurve curve(64);
  for (int64_t rows = 1; rows <= 64; rows *= 2)
    for (int i = 0; i < 4; ++i) curve.learn(rows, mostly_fixed(rows, 1));
  ArrivalForecast forecast;
  for (int b = 0; b < 40; ++b)
    for (int i = 0; i < 8; ++i) forecast.arrived(1, 0, i + 1, kBegin - 1s + b * 5ms + i * 15us);
  const std::vector<int64_t> one{1};
  forecast.arrived(1, 0, 1, kBegin + waited);  // the last event is fresh, whatever the request has waited
  return decide({.max_rows = 64}, kBegin + waited, {one, kBegin, kNever, alone}, {.idle = 1}, &curve,
                {.forecast = &forecast});
}

TEST(Gathering, NothingWaitsWhileOthersDo) {
  EXPECT_EQ(decide_about_one(true, 0us).action, BatchDecision::Action::kWait);
  EXPECT_EQ(decide_about_one(false, 0us).action, BatchDecision::Action::kCut) << "another shape waits behind it";
}

TEST(Gathering, AnswersOfOthersDoNotPutItOffForEver) {
  EXPECT_EQ(decide_about_one(true, 300us).action, BatchDecision::Action::kWait);
  EXPECT_EQ(decide_about_one(true, 10ms).action, BatchDecision::Action::kCut);
}

TEST(Gathering, OneClientWaitsForNobody) {
  const Workload work{.time = mostly_fixed, .clients = 1};
  EXPECT_EQ(simulate(work).mean_us, 1'600);
}

TEST(Gathering, NothingIsWaitedForWhereBatchesDoNotPay) {
  const Workload work{.time = by_the_row, .clients = 8};
  EXPECT_GE(simulate(work).rate, 0.99 * at_once(work).rate);
  EXPECT_LE(simulate(work).mean_rows, 1.1);
}

TEST(Gathering, WhatComesAtRandomWaitsLittle) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (const double rate : {50.0, 200.0, 600.0, 1'500.0}) {
    SCOPED_TRACE(std::to_string(rate) + " a second");
    const Workload work{.time = mostly_fixed, .rate = rate, .length = 20s};
    const Outcome gathered = simulate(work, seed), before = at_once(work, seed);
    EXPECT_NEAR(gathered.rate, before.rate, 0.02 * before.rate);
    EXPECT_LE(gathered.mean_us, 1.15 * before.mean_us);
    EXPECT_LE(gathered.busy_us, 1.02 * before.busy_us);
  }
}

}  // namespace
}  // namespace modelmill
