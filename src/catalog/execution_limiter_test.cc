#include "catalog/execution_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

const ResourceKey kR{0, "R"};

std::shared_ptr<ExecutionClaim> claim(ExecutionLimiter& limiter, int64_t count, int device = 0) {
  auto claimed = limiter.claim({{"R", false, count}}, 0, device);
  EXPECT_TRUE(claimed.ok()) << claimed.status().message();
  return claimed.ok() ? *claimed : nullptr;
}

TEST(ExecutionLimiter, WhoNeedsNothingHasNoClaim) {
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>());
  ExecutionLimiter& limiter = *shared;
  EXPECT_EQ(*limiter.claim({}, 1, 0), nullptr);
  EXPECT_EQ(*limiter.claim({{"R", false, 0}}, 1, 0), nullptr);
}

TEST(ExecutionLimiter, WhatIsHeldIsNotToBeHad) {
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>());
  ExecutionLimiter& limiter = *shared;
  ExecutionTicket one(claim(limiter, 2)), two(claim(limiter, 1)), elsewhere(claim(limiter, 2, 1));
  EXPECT_TRUE(one.try_take());
  EXPECT_TRUE(one.try_take()) << "it is held already";
  EXPECT_FALSE(two.try_take());
  EXPECT_TRUE(elsewhere.try_take());
  EXPECT_EQ(limiter.taken(kR), 2);
  one.give_back(true);
  EXPECT_TRUE(two.try_take());
  EXPECT_EQ(limiter.taken(kR), 1);
}

TEST(ExecutionLimiter, AClaimThatCouldNeverRunIsRefusedAndLeavesNothingBehind) {
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>{{"R", 3, {}}});
  ExecutionLimiter& limiter = *shared;
  EXPECT_EQ(limiter.claim({{"R", false, 4}}, 1, 0).status().code(), Code::kInvalidArgument);
  ExecutionTicket ticket(claim(limiter, 3));
  EXPECT_TRUE(ticket.try_take());
}

TEST(ExecutionLimiter, ALargerClaimMakesRoomForThoseWhoWait) {
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>());
  ExecutionLimiter& limiter = *shared;
  const auto small = claim(limiter, 1);
  ExecutionTicket one(small), two(small);
  EXPECT_TRUE(one.try_take());
  std::jthread waits([&] { EXPECT_TRUE(two.wait()); });
  const auto large = claim(limiter, 2);
  waits.join();
  EXPECT_EQ(limiter.taken(kR), 2);
}

TEST(ExecutionLimiter, AnInterruptEndsTheWaitOrTheNext) {
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>());
  ExecutionLimiter& limiter = *shared;
  const auto both = claim(limiter, 1);
  ExecutionTicket one(both), two(both);
  EXPECT_TRUE(one.try_take());
  two.interrupt();
  EXPECT_FALSE(two.wait());
  std::jthread waits([&] { EXPECT_FALSE(two.wait()); });
  two.interrupt();
  waits.join();
  one.give_back(true);
  EXPECT_TRUE(two.wait());
}

/// Threads that take, and give back: there is never more taken than there is.
TEST(ExecutionLimiter, ManyThreadsShare) {
  constexpr int kThreads = 6, kRuns = 2'000;
  const auto shared = std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>{{"R", 4, {}}});
  ExecutionLimiter& limiter = *shared;
  std::atomic<int64_t> taken{0}, most{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, need = 1 + i % 3] {
      ExecutionTicket ticket(claim(limiter, need));
      for (int run = 0; run < kRuns;) {
        if (!ticket.try_take() && !ticket.wait()) continue;
        const int64_t now = taken.fetch_add(need) + need;
        for (int64_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        taken.fetch_sub(need);
        ticket.give_back(true);
        ++run;
      }
    });
  threads.clear();
  EXPECT_LE(most, 4);
  EXPECT_EQ(limiter.taken(kR), 0);
}

}  // namespace
}  // namespace modelmill
