#include "cli/personality/dotenv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace modelmill::personality {
namespace {

using ::testing::HasSubstr;

class DotenvTest : public ::testing::Test {
 protected:
  Result<Environment> read(const std::string& text) {
    std::ofstream(file_, std::ios::binary) << text;
    return with_dotenv(file_, [](const char* name) -> std::optional<std::string> {
      return std::string_view(name) == "HOST" ? std::optional<std::string>("outside") : std::nullopt;
    });
  }
  std::string value(const std::string& text) {
    const auto environment = read(text + "\nLAST=end");
    if (!environment.ok()) return "refused: " + environment.status().message();
    EXPECT_EQ((*environment)("LAST"), "end") << text;
    return (*environment)("A").value_or("none");
  }

  const std::string file_ = ::testing::TempDir() + "dotenv_test.env";
};

TEST_F(DotenvTest, ValuesAsPythonReadsThem) {
  const std::pair<const char*, const char*> cases[] = {
      {"A=1", "1"},
      {"  export A = two words  # comment", "two words"},
      {"a=any case", "any case"},
      {"A=x#y", "x#y"},
      {"A=  #x # comment", "#x"},
      {"A=", ""},
      {"A", "none"},
      {"# A=1", "none"},
      {"A=1\r\nA=2\r", "2"},
      {"A='it ${HOST} # is'", "it ${HOST} # is"},
      {"A=\"a\\nb \\\"c\\\"\" # more", "a\nb \"c\""},
      {"A=\"one\ntwo\"", "one\ntwo"},
      {"B=x\nA=${B}/${HOST}/${NONE:-else}/${NONE}.", "x/outside/else/."},
      {"export=1\nA=${EXPORT}", "1"},
      {"\n\nA=last\n\n", "last"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(value(text), expected) << text;
}

TEST_F(DotenvTest, TheEnvironmentCountsMore) {
  const auto environment = read("HOST=inside\nPORT=1");
  ASSERT_TRUE(environment.ok());
  EXPECT_EQ((*environment)("HOST"), "outside");
  EXPECT_EQ((*environment)("PORT"), "1");
}

TEST_F(DotenvTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(value("B=1\nA=\"open"), HasSubstr(":2: the quotation of A does not end"));
  EXPECT_THAT(value("A='x' y"), HasSubstr(":1: there is more after the quotation of A"));
  EXPECT_THAT(value("\n!"), HasSubstr(":2: a line is NAME=VALUE"));
  EXPECT_THAT(value("A B=1"), HasSubstr(":1: '=' is missing after A"));
}

TEST_F(DotenvTest, WithoutAFileNothingChanges) {
  const Environment own = [](const char*) -> std::optional<std::string> { return "own"; };
  const auto environment = with_dotenv(::testing::TempDir() + "no such file", own);
  ASSERT_TRUE(environment.ok());
  EXPECT_EQ((*environment)("ANY"), "own");
}

}  // namespace
}  // namespace modelmill::personality
