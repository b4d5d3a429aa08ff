#include "catalog/arm_counts.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

ArmCounts counts(uint64_t requests, uint64_t errors, uint64_t crashes) {
  ArmCounts out;
  out.requests = requests;
  out.errors = errors;
  out.crashes = crashes;
  return out;
}

TEST(ArmCountsTest, WhatIsNew) {
  EXPECT_EQ(counted_since(counts(9, 4, 3), counts(5, 1, 1)), counts(4, 3, 2));
  EXPECT_EQ(counted_since(counts(3, 1, 1), counts(5, 4, 1)), counts(3, 1, 0)) << "they began anew";
}

TEST(ArmCountsTest, FewerCrashesAreNoNewOnes) {
  EXPECT_EQ(counted_since(counts(0, 0, 2), counts(0, 0, 3)).crashes, 0U);
  EXPECT_EQ(counted_since(counts(0, 0, 3), counts(0, 0, 2)).crashes, 1U);
}

}  // namespace
}  // namespace modelmill
