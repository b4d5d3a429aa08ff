#include "cli/text_table.h"

#include <gtest/gtest.h>

#include "cli/number_text.h"

namespace modelmill {
namespace {

TEST(TextTable, AlignsByCharacters) {
  EXPECT_EQ(text_table({{"A", "B", "C"}, {"caf\xC3\xA9", "10", "x"}, {"b", "1", "long"}}, 1, 0),
            "A      B  C\n"
            "caf\xC3\xA9  10  x\n"
            "b      1  long\n");
  EXPECT_EQ(text_table({{"caf\xC3\xA9", "1"}}, 1, 5), "caf\xC3\xA9 \n");
  EXPECT_EQ(text_table({}, 1, 0), "");
}

TEST(TextTable, ClipsWholeCharacters) {
  EXPECT_EQ(clipped("caf\xC3\xA9s", 4), "caf\xC3\xA9");
  EXPECT_EQ(clipped("caf\xC3\xA9s", 3), "caf");
  EXPECT_EQ(clipped("caf\xC3\xA9s", 0), "caf\xC3\xA9s");
  EXPECT_EQ(clipped("a\x1B[2J\nb", 0), "a?[2J?b");
}

TEST(NumberText, IsAsExactAsItTells) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999.4), "999");
  EXPECT_EQ(count_text(1'234'567), "1,234,567");
  EXPECT_EQ(rate_text(0), "0");
  EXPECT_EQ(rate_text(0.25), "0.2");
  EXPECT_EQ(rate_text(9.96), "10");
  EXPECT_EQ(time_text(std::nullopt), "-");
  EXPECT_EQ(time_text(12.3), "12 us");
  EXPECT_EQ(time_text(1'250), "1.2 ms");
  EXPECT_EQ(time_text(123'400), "123 ms");
  EXPECT_EQ(time_text(2'500'000), "2.5 s");
}

}  // namespace
}  // namespace modelmill
