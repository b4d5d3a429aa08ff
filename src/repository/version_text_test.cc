#include "repository/version_text.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(VersionText, NumbersOfFolders) {
  EXPECT_EQ(version_number("12"), 12);
  EXPECT_EQ(version_number("9223372036854775807"), INT64_MAX);
  for (const char* name : {"", "0", "012", "-1", "+1", "1a", " 1", "9223372036854775808"})
    EXPECT_EQ(version_number(name), std::nullopt) << name;
  EXPECT_EQ(version_number("012", true), 12);
  EXPECT_EQ(version_number("000", true), std::nullopt);
}

TEST(VersionText, NumbersOfOtherServersTexts) {
  EXPECT_EQ(number_of_version_text("3"), 3);
  EXPECT_EQ(number_of_version_text("3.0"), 3);
  EXPECT_EQ(number_of_version_text("3.0.0"), 3);
  EXPECT_EQ(number_of_version_text("3.1"), 3'001'000);
  EXPECT_EQ(number_of_version_text("1.2.3"), 1'002'003);
  EXPECT_EQ(number_of_version_text("0.1"), 1'000);
  EXPECT_EQ(number_of_version_text("1.0.1"), 1'000'001);
  for (const char* text : {"", "0", "0.0", "1.", ".1", "1.2.3.4", "1.1000", "v1", "1-rc", "99999999999", "1..2"})
    EXPECT_EQ(number_of_version_text(text), std::nullopt) << text;
}

}  // namespace
}  // namespace modelmill
