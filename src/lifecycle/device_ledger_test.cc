#include "lifecycle/device_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr uint64_t kMib = 1 << 20;
const DeviceLedger::Holder kA{"a", 1}, kA2{"a", 2}, kB{"b", 7};

TEST(DeviceLedgerTest, TheBudgetIsTheOperatorsWordElseNineTenthsOfTheDevice) {
  DeviceLedger ledger;
  EXPECT_EQ(ledger.budget(0), std::nullopt) << "nobody says anything";
  ledger.set_total(0, 1000);
  ledger.set_total(1, 1000);
  ledger.set_total(2, 1000);
  EXPECT_EQ(ledger.budget(0), 900u);
  ledger.set_budgets({600, {{1, 700}, {2, 0}}});
  EXPECT_EQ(ledger.budget(0), 600u);
  EXPECT_EQ(ledger.budget(1), 700u);
  EXPECT_EQ(ledger.budget(2), std::nullopt) << "0 is no bound";
  EXPECT_EQ(ledger.budget(3), 600u) << "one that tells nothing";
  ledger.set_budgets({{}, {{1, 700}}, {{0, 0.25}, {1, 0.5}, {4, 0.5}}});
  EXPECT_EQ(ledger.budget(0), 250u) << "a part of the whole";
  EXPECT_EQ(ledger.budget(1), 700u) << "bytes come before parts";
  EXPECT_EQ(ledger.budget(4), std::nullopt) << "of what, is not known";
}

TEST(DeviceLedgerTest, WhatIsHeldComesAndGoes) {
  DeviceLedger ledger;
  ledger.add(0, kA, 10);
  ledger.add(0, kA, 5);
  ledger.add(0, kA2, 20);
  ledger.add(0, kB, 40);
  ledger.add(1, kA, 3);
  EXPECT_EQ(ledger.held(0), 75u);
  EXPECT_EQ(ledger.held(0, kA), 15u);
  EXPECT_THAT(ledger.held_by_model(0), ElementsAre(Pair("a", 35), Pair("b", 40)));
  ledger.remove(0, kA, 10);
  ledger.remove(0, kB, 40);
  EXPECT_EQ(ledger.held(0, kA), 5u);
  EXPECT_THAT(ledger.held_by_model(0), ElementsAre(Pair("a", 25)));
  EXPECT_EQ(ledger.held(1), 3u) << "another device";
  ledger.remove(1, kA, 100);
  EXPECT_EQ(ledger.held(1), 0u) << "no more than there was";
}

struct CheckCase {
  uint64_t budget, held, more;
  bool fits;
};

TEST(DeviceLedgerTest, FitsUpToTheBudget) {
  for (const CheckCase& c : {CheckCase{100, 0, 100, true},
                             {100, 0, 101, false},
                             {100, 60, 40, true},
                             {100, 60, 41, false},
                             {100, 100, 0, true},
                             {100, 101, 0, false},
                             {100, 101, 1, false},
                             {100, 1, UINT64_MAX, false},
                             {0, 1, UINT64_MAX, true}}) {
    DeviceLedger ledger;
    ledger.set_budgets({c.budget, {}});
    ledger.add(0, kA, c.held);
    EXPECT_EQ(ledger.check(0, kB, c.more).ok(), c.fits) << c.budget << ' ' << c.held << ' ' << c.more;
  }
}

TEST(DeviceLedgerTest, ARefusalHasTheNumbersAndTheHolders) {
  DeviceLedger ledger;
  ledger.set_budgets({900 * kMib, {}});
  ledger.add(3, kA, 500 * kMib);
  ledger.add(3, kA2, 100 * kMib);
  const Status refused = ledger.check(3, kB, 400 * kMib);
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.message(),
            "model 'b' version 7 needs 400.0 MiB of gpu 3, of whose budget of 900.0 MiB 600.0 MiB are held (500.0 MiB "
            "by model 'a' version 1, 100.0 MiB by model 'a' version 2); unload a model, give it another device, or "
            "raise --device-memory");
  EXPECT_THAT(ledger.check(3, kB, 901 * kMib).message(), HasSubstr("it can't fit: give it another device, or raise"));
  ledger.add(3, kB, 400 * kMib);
  EXPECT_THAT(ledger.check(3, kB, 0).message(), HasSubstr("has taken 400.0 MiB of gpu 3, of whose budget of 900.0 MiB"
                                                          " 1000.0 MiB are held"));
}

TEST(DeviceLedgerTest, ManyHoldersAreCounted) {
  DeviceLedger ledger;
  ledger.set_budgets({10, {}});
  for (int i = 0; i < 6; ++i) ledger.add(0, {"m" + std::to_string(i), 1}, 1);
  EXPECT_THAT(ledger.check(0, kB, 5).message(), HasSubstr("by model 'm3' version 1 and the rest by 2 more)"));
}

}  // namespace
}  // namespace modelmill
