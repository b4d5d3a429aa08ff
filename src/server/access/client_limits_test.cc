#include "server/access/client_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using Refusal = ClientLimits::Refusal;

std::shared_ptr<ClientLimits> limits_of(const ClientLimits::Options& options, const TimeSource& time) {
  return std::make_shared<ClientLimits>(options, time);
}

TEST(ClientLimits, ARateWithABurst) {
  ManualTime time;
  const auto limits = limits_of({.rate = 10, .burst = 3}, time);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits->admit("a").refusal, Refusal::kNone) << i;
  const auto refused = limits->admit("a");
  EXPECT_EQ(refused.refusal, Refusal::kRate);
  EXPECT_EQ(refused.retry_after, 100ms);
  EXPECT_EQ(limits->admit("b").refusal, Refusal::kNone);  // another client has a bucket of its own
  time.advance(99ms);
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kRate);
  time.advance(1ms);
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kNone);  // what was refused has cost nothing
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kRate);
  time.advance(1h);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits->admit("a").refusal, Refusal::kNone) << i;
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kRate);  // a long pause saves up no more than the burst
}

TEST(ClientLimits, WithoutABurstThatOfASecond) {
  ManualTime time;
  const auto fast = limits_of({.rate = 2.5}, time);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fast->admit("a").refusal, Refusal::kNone) << i;
  EXPECT_EQ(fast->admit("a").refusal, Refusal::kRate);
  const auto slow = limits_of({.rate = 0.1}, time);
  EXPECT_EQ(slow->admit("a").refusal, Refusal::kNone);
  EXPECT_EQ(slow->admit("a").retry_after, 10s);
}

TEST(ClientLimits, InFlightUntilTheTicketIsGone) {
  ManualTime time;
  const auto limits = limits_of({.in_flight = 2}, time);
  auto first = limits->admit("a");
  const auto second = limits->admit("a");
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kInFlight);
  EXPECT_EQ(limits->admit("b").refusal, Refusal::kNone);
  first.ticket.reset();
  const auto third = limits->admit("a");
  EXPECT_EQ(third.refusal, Refusal::kNone);
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kInFlight);
}

TEST(ClientLimits, WhatIsRefusedInFlightSpendsNothingOfTheRate) {
  ManualTime time;
  const auto limits = limits_of({.rate = 1, .burst = 2, .in_flight = 1}, time);
  auto first = limits->admit("a");
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kInFlight);
  first.ticket.reset();
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kNone);
  EXPECT_EQ(limits->admit("a").refusal, Refusal::kRate);
}

TEST(ClientLimits, RemembersABoundedNumberAndTheBusyOnesAlways) {
  ManualTime time;
  const auto limits = limits_of({.rate = 0.001, .burst = 1, .in_flight = 1, .idle_clients = 160}, time);
  std::vector<ClientLimits::Verdict> busy;
  for (int i = 0; i < 500; ++i) busy.push_back(limits->admit("busy " + std::to_string(i)));
  for (int i = 0; i < 5000; ++i) limits->admit("idle " + std::to_string(i));
  EXPECT_LE(limits->clients(), 500u + 160u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(limits->admit("busy " + std::to_string(i)).refusal, Refusal::kInFlight) << i;
  EXPECT_EQ(limits->admit("idle 4999").refusal, Refusal::kRate);  // the last is remembered
  busy.clear();
  EXPECT_LE(limits->clients(), 160u);
}

TEST(ClientLimits, TicketsOutliveIt) {
  ManualTime time;
  auto limits = limits_of({.in_flight = 1}, time);
  auto held = limits->admit("a");
  limits.reset();
  held.ticket.reset();
}

TEST(ClientLimits, HoldsUnderManyThreads) {
  const auto limits = limits_of({.in_flight = 3, .idle_clients = 16}, TimeSource::steady());
  std::array<std::atomic<int>, 8> inside{};
  std::atomic<bool> too_many{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const size_t client = static_cast<size_t>(i * 7 + t) % inside.size();
        auto verdict = limits->admit("client " + std::to_string(client));
        if (verdict.refusal != Refusal::kNone) continue;
        if (++inside[client] > 3) too_many = true;
        --inside[client];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(too_many);
  for (size_t i = 0; i < inside.size(); ++i)
    EXPECT_EQ(limits->admit("client " + std::to_string(i)).refusal, Refusal::kNone) << i;
}

TEST(ClientOfPeer, IsTheAddressOrItsNetwork) {
  EXPECT_EQ(client_of_peer("127.0.0.1:4711"), "127.0.0.1");
  EXPECT_EQ(client_of_peer("[2001:db8:1:2:3:4:5:6]:80"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_of_peer("[2001:db8:1:2::9]:81"), "2001:db8:1:2::/64");
  EXPECT_EQ(client_of_peer("[::1]:80"), "::/64");
  EXPECT_EQ(client_of_peer("[::ffff:10.0.0.1]:80"), "10.0.0.1");
  EXPECT_EQ(client_of_peer("[fe80::1%eth0]:80"), "fe80::/64");
  EXPECT_EQ(client_of_peer("unix"), "unix");
}

}  // namespace
}  // namespace modelmill
