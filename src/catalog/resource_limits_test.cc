#include "catalog/resource_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::HasSubstr;

constexpr int kGlobal = ResourceKey::kGlobal;

Result<ResourceCounts> limits(const std::vector<ResourceCounts>& needs,
                              const std::vector<DeclaredResource>& declared = {}) {
  std::vector<const ResourceCounts*> pointers;
  for (const ResourceCounts& one : needs) pointers.push_back(&one);
  return resource_limits(pointers, declared);
}

const ResourceCounts kA = {{{0, "R1"}, 4}, {{0, "R2"}, 4}};
const ResourceCounts kB = {{{0, "R2"}, 5}, {{0, "R3"}, 10}, {{0, "R4"}, 5}};
const ResourceCounts kC = {{{0, "R1"}, 1}, {{0, "R3"}, 7}, {{0, "R4"}, 2}};

TEST(ResourceLimits, UndeclaredThereIsWhatTheLargestNeeds) {
  const auto found = limits({kA, kB, kC});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, (ResourceCounts{{{0, "R1"}, 4}, {{0, "R2"}, 5}, {{0, "R3"}, 10}, {{0, "R4"}, 5}}));
  EXPECT_TRUE(limits({})->empty());
}

TEST(ResourceLimits, DevicesHaveTheirOwn) {
  const std::vector<DeclaredResource> declared = {{"R1", 10, {}}, {"R2", 5, 0}, {"R2", 8, 1}, {"R3", 2, {}}};
  const std::vector<ResourceCounts> needs = {{{{0, "R1"}, 1}, {{0, "R2"}, 5}, {{kGlobal, "R3"}, 2}},
                                             {{{1, "R1"}, 10}, {{1, "R2"}, 6}}};
  const auto found = limits(needs, declared);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(*found,
            (ResourceCounts{{{kGlobal, "R3"}, 2}, {{0, "R1"}, 10}, {{0, "R2"}, 5}, {{1, "R1"}, 10}, {{1, "R2"}, 8}}));
}

TEST(ResourceLimits, AGlobalOneIsDeclaredOfAnyDevice) {
  EXPECT_EQ(limits({{{{kGlobal, "G"}, 2}}}, {{"G", 3, 7}})->at({kGlobal, "G"}), 3);
}

TEST(ResourceLimits, WhatCouldNeverRunIsRefused) {
  for (const std::vector<DeclaredResource>& declared :
       std::vector<std::vector<DeclaredResource>>{{{"R1", 3, {}}}, {{"R1", 9, 1}}, {{"Q", 9, {}}}}) {
    const auto found = limits({{{{0, "R1"}, 4}}}, declared);
    EXPECT_EQ(found.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(found.status().message(), HasSubstr("the minimum required count is 4"));
    EXPECT_THAT(found.status().message(), HasSubstr("R1"));
  }
}

TEST(ResourceLimits, ANameIsGlobalOrNot) {
  const auto found = limits({{{{kGlobal, "R"}, 1}}, {{{0, "R"}, 1}}});
  EXPECT_THAT(found.status().message(), HasSubstr("both global and device-specific"));
}

TEST(ResourceLimits, NeedsAreOfTheirDevice) {
  EXPECT_EQ(counts_of({{"R", false, 2}, {"G", true, 1}, {"R", false, 3}, {"N", false, 0}}, 1),
            (ResourceCounts{{{kGlobal, "G"}, 1}, {{1, "R"}, 3}}));
}

}  // namespace
}  // namespace modelmill
