#include "repository/java_properties.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(JavaProperties, ReadsWhatJavaReads) {
  const auto read = parse_properties(
      "# a comment\n  ! another \\\n"
      "plain=value\r\n"
      "spaced  =  a value \n"
      "colon: x=y\n"
      "blank only a blank\n"
      "alone\n"
      "empty=\n"
      "long=one,\\\n    two,\\\r\n\tthree\n"
      "path=C\\:\\\\x\n"
      "a\\=b=c\n"
      "unicode=\\u00e9\\ud83d\\ude00\n"
      "escapes=\\n\\t\\q\n"
      "twice=1\ntwice=2\n"
      "two backslashes=a\\\\\n"
      "end=no newline\\");
  ASSERT_TRUE(read.ok()) << read.status().message();
  const Properties expected = {{"plain", "value"},         {"spaced", "a value "}, {"colon", "x=y"},
                               {"blank", "only a blank"},  {"alone", ""},          {"empty", ""},
                               {"long", "one,two,three"},  {"path", "C:\\x"},      {"a=b", "c"},
                               {"unicode", "é😀"},         {"escapes", "\n\tq"},   {"twice", "2"},
                               {"two", "backslashes=a\\"}, {"end", "no newline"}};
  EXPECT_EQ(*read, expected);
}

TEST(JavaProperties, WhatIsWrittenReadsBack) {
  const Properties properties = {
      {"a=b c", " value "}, {"json", "{\n  \"a\": \"C:\\x\"\r\n}\t"}, {"#no", "!"}, {"empty", ""}};
  const auto read = parse_properties(properties_text(properties));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, properties);
}

TEST(JavaProperties, RefusesABrokenEscape) {
  EXPECT_EQ(parse_properties("a=\\u12").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(parse_properties("a=\\users").status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace modelmill
