#include "server/ebb_watch.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace modelmill {
namespace {

TEST(EbbWatch, TellsOnceForEachEbb) {
  EbbWatch watch;
  const std::vector<std::pair<int, bool>> looks = {{0, false},    {900, false}, {0, false},    {10'000, false},
                                                   {9001, false}, {9000, true}, {0, true},     {0, false},
                                                   {999, false},  {0, false},   {1000, false}, {0, true}};
  for (const auto& [open, ebbed] : looks) EXPECT_EQ(watch.has_ebbed(open), ebbed) << open;
}

}  // namespace
}  // namespace modelmill
