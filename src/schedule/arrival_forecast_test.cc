#include "schedule/arrival_forecast.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kBegin{std::chrono::seconds(100)};

/// Bursts of `size` requests with `gap` between them, one burst each `period`; the last one's time.
TimePoint burst(ArrivalForecast& forecast, int bursts, int size, Duration gap, Duration period,
                TimePoint begin = kBegin) {
  for (int b = 0; b < bursts; ++b)
    for (int i = 0; i < size; ++i) forecast.arrived(1, 0, i + 1, begin + b * period + i * gap);
  return forecast.last_event();
}

TEST(ArrivalForecast, WhatFollowsCloselyIsWaitedFor) {
  ArrivalForecast forecast;
  const TimePoint last = burst(forecast, 20, 8, 50us, 5ms);
  EXPECT_EQ(forecast.population(), 8);
  const Duration patience = forecast.patience(500us, last);
  EXPECT_GE(patience, 50us);
  EXPECT_LT(patience, 200us) << "seven of eight come within 50 us; the eighth only after 4.6 ms";
  EXPECT_EQ(forecast.patience(20us, last), Duration{}) << "it isn't worth the time that it takes to come";
  EXPECT_EQ(forecast.patience(500us, last + patience), Duration{}) << "it would have come by now";
}

TEST(ArrivalForecast, WhatComesOneByOneIsNot) {
  ArrivalForecast forecast;
  const TimePoint last = burst(forecast, 200, 1, 0us, 2ms);
  EXPECT_EQ(forecast.population(), 1);
  EXPECT_EQ(forecast.patience(1ms, last), Duration{});
  EXPECT_GT(forecast.patience(6ms, last), 2ms) << "worth it where that much is gained";
}

TEST(ArrivalForecast, NothingIsKnownAtFirst) {
  ArrivalForecast forecast;
  EXPECT_EQ(forecast.population(), 0);
  EXPECT_EQ(forecast.mean_rows(), 1);
  EXPECT_EQ(forecast.patience(1s, kBegin), Duration{});
  forecast.arrived(64, 0, 64, kBegin);
  EXPECT_EQ(forecast.mean_rows(), 64);
  EXPECT_EQ(forecast.patience(1s, kBegin), Duration{}) << "one says nothing";
}

TEST(ArrivalForecast, AnotherShapeDoesNotFollow) {
  ArrivalForecast forecast;
  for (int i = 0; i < 100; ++i) forecast.arrived(1, static_cast<uint64_t>(i % 2), 2, kBegin + i * 10us);
  EXPECT_EQ(forecast.patience(1ms, forecast.last_event()), Duration{});
}

TEST(ArrivalForecast, TheMostAtATimeIsForgotten) {
  ArrivalForecast forecast;
  burst(forecast, 10, 8, 10us, 1ms);
  EXPECT_EQ(forecast.population(), 8);
  forecast.missed(5);
  EXPECT_EQ(forecast.population(), 5) << "it was waited for in vain";
  burst(forecast, 1, 8, 10us, 1ms, kBegin + 1s);
  EXPECT_EQ(forecast.population(), 8) << "and came back";
  burst(forecast, 200, 1, 10us, 1ms, kBegin + 2s);
  EXPECT_EQ(forecast.population(), 1);
}

TEST(ArrivalForecast, AnAnswerBringsTheNextRequest) {
  ArrivalForecast forecast;
  for (int i = 0; i < 100; ++i) {
    forecast.answered(kBegin + i * 5ms);
    forecast.arrived(1, 0, 1, kBegin + i * 5ms + 60us);
  }
  EXPECT_EQ(forecast.patience(500us, forecast.last_event()), Duration{}) << "the answer isn't there yet";
  forecast.answered(kBegin + 1s);
  EXPECT_GE(forecast.patience(500us, kBegin + 1s), 60us);
  EXPECT_EQ(forecast.last_answer(), kBegin + 1s);
}

TEST(ArrivalForecast, HabitsChange) {
  ArrivalForecast forecast;
  burst(forecast, 100, 8, 50us, 5ms);
  const TimePoint last = burst(forecast, 1'000, 1, 0us, 5ms, kBegin + 10s);
  EXPECT_EQ(forecast.patience(500us, last), Duration{});
}

}  // namespace
}  // namespace modelmill
