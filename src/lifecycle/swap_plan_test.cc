#include "lifecycle/swap_plan.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

constexpr auto kAvailability = SwapPolicy::kAvailability;
constexpr auto kResource = SwapPolicy::kResource;

struct Case {
  const char* name;
  std::vector<SwapVersion> versions;
  std::vector<WantedVersion> wanted;
  SwapPolicy policy;
  std::vector<int64_t> load;
  std::vector<int64_t> unload;
  bool settled;
};

class SwapPlanTest : public testing::TestWithParam<Case> {};

TEST_P(SwapPlanTest, SaysWhatComesNext) {
  const Case& c = GetParam();
  const SwapSteps steps = plan_swap(c.versions, c.wanted, c.policy);
  EXPECT_EQ(steps.load, c.load);
  EXPECT_EQ(steps.unload, c.unload);
  EXPECT_EQ(steps.settled, c.settled);
}

const Case kCases[] = {
    {"the first load", {}, {{1, "a"}}, kAvailability, {1}, {}, false},
    {"it is loading", {{1, "", "a", "", false}}, {{1, "a"}}, kAvailability, {}, {}, false},
    {"it serves", {{1, "a", "", "", false}}, {{1, "a"}}, kAvailability, {}, {}, true},
    {"it failed and is not tried again", {{1, "", "", "a", false}}, {{1, "a"}}, kAvailability, {}, {}, true},
    {"it failed and its files have changed", {{1, "", "", "a", false}}, {{1, "b"}}, kAvailability, {1}, {}, false},
    {"a new version loads beside the old one", {{1, "a", "", "", false}}, {{2, "b"}}, kAvailability, {2}, {}, false},
    {"the old one serves while it loads",
     {{1, "a", "", "", false}, {2, "", "b", "", false}},
     {{2, "b"}},
     kAvailability,
     {},
     {},
     false},
    {"the old one goes when the new one serves",
     {{1, "a", "", "", false}, {2, "b", "", "", false}},
     {{2, "b"}},
     kAvailability,
     {},
     {1},
     false},
    {"the old one stays when the new one failed",
     {{1, "a", "", "", false}, {2, "", "", "b", false}},
     {{2, "b"}},
     kAvailability,
     {},
     {},
     true},
    {"it goes when one of two new ones serves",
     {{1, "a", "", "", false}, {2, "b", "", "", false}, {3, "", "", "c", false}},
     {{2, "b"}, {3, "c"}},
     kAvailability,
     {},
     {1},
     false},
    {"new files of the same number load beside the old",
     {{1, "a", "", "", false}},
     {{1, "b"}},
     kAvailability,
     {1},
     {},
     false},
    {"new files that failed leave the old ones serving",
     {{1, "a", "", "b", false}},
     {{1, "b"}},
     kAvailability,
     {},
     {},
     true},
    {"what is being loaded is waited for though it is out of date",
     {{1, "", "a", "", false}},
     {{1, "b"}},
     kAvailability,
     {},
     {},
     false},
    {"it goes though one of two new ones is to be tried again",
     {{1, "a", "", "", false}, {2, "b", "", "", false}, {3, "", "c", "", false, true}},
     {{2, "b"}, {3, "c"}},
     kAvailability,
     {},
     {1},
     false},
    {"it stays while one of two new ones is being loaded",
     {{1, "a", "", "", false}, {2, "b", "", "", false}, {3, "", "c", "", false}},
     {{2, "b"}, {3, "c"}},
     kAvailability,
     {},
     {},
     false},
    {"it stays while the only new one is to be tried again",
     {{1, "a", "", "", false}, {2, "", "b", "", false, true}},
     {{2, "b"}},
     kAvailability,
     {},
     {},
     false},
    {"what is to be tried again is not settled",
     {{2, "b", "", "", false}, {3, "", "c", "", false, true}},
     {{2, "b"}, {3, "c"}},
     kAvailability,
     {},
     {},
     false},
    {"nothing is wanted", {{1, "a", "", "", false}}, {}, kAvailability, {}, {1}, false},
    {"draining does not hold up loading", {{1, "", "", "", true}}, {{2, "b"}}, kAvailability, {2}, {}, false},
    {"draining is settled", {{1, "", "", "", true}}, {}, kAvailability, {}, {}, true},
    {"resource: the old one goes first", {{1, "a", "", "", false}}, {{2, "b"}}, kResource, {}, {1}, false},
    {"resource: loading waits until it has gone", {{1, "", "", "", true}}, {{2, "b"}}, kResource, {}, {}, false},
    {"resource: then the new one loads", {{1, "", "", "", false}}, {{2, "b"}}, kResource, {2}, {}, false},
    {"resource: other files of the same number too", {{1, "a", "", "", false}}, {{1, "b"}}, kResource, {}, {1}, false},
    {"resource: what stays is not touched",
     {{1, "a", "", "", false}, {2, "b", "", "", false}},
     {{2, "b"}, {3, "c"}},
     kResource,
     {},
     {1},
     false},
};

INSTANTIATE_TEST_SUITE_P(Table, SwapPlanTest, testing::ValuesIn(kCases), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace modelmill
