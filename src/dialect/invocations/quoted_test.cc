#include "dialect/invocations/quoted.h"

#include <gtest/gtest.h>

#include <vector>

namespace modelmill::invocations {
namespace {

TEST(Quoted, ShortTextsAreWhole) {
  EXPECT_EQ(quoted_name("a"), "'a'");
  EXPECT_EQ(quoted_name(std::string(64, 'a')), "'" + std::string(64, 'a') + "'");
  EXPECT_EQ(quoted_list(std::vector<std::string>()), "");
  EXPECT_EQ(quoted_list(std::vector<std::string>{"a", "b"}), "'a', 'b'");
}

TEST(Quoted, LongTextsEndBetweenCharacters) {
  EXPECT_EQ(shortened(std::string(65, 'a')), std::string(64, 'a') + "...");
  EXPECT_EQ(shortened(std::string(63, 'a') + "éé"), std::string(63, 'a') + "...");
  EXPECT_EQ(shortened(std::string(62, 'a') + "éé"), std::string(62, 'a') + "é...");
  EXPECT_EQ(shortened(std::string(1000, '\x80')), "...");  // no UTF-8
}

TEST(Quoted, OfManyNamesTheFirstAreShown) {
  std::vector<std::string> names(10, "a");
  EXPECT_EQ(quoted_list(names), "'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'");
  names.emplace_back("b");
  EXPECT_EQ(quoted_list(names), "'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', ...");
}

}  // namespace
}  // namespace modelmill::invocations
