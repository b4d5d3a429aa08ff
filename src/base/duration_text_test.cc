#include "base/duration_text.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, WithItsUnit) {
  EXPECT_EQ(parse_duration("500us").value(), 500us);
  EXPECT_EQ(parse_duration("20ms").value(), 20ms);
  EXPECT_EQ(parse_duration("1.5s").value(), 1'500ms);
  EXPECT_EQ(parse_duration("3600s").value(), 1h);
}

TEST(ParseDuration, NothingElse) {
  for (const char* text :
       {"", "20", "ms", "20 ms", "-1ms", "0ms", "0.2us", "20m", "20msx", "3601s", "nanms", "infs", "1e300s"})
    EXPECT_FALSE(parse_duration(text).ok()) << text;
}

}  // namespace
}  // namespace modelmill
