#include "server/access/token_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wire::ApiGroup;

TEST(TokenTable, ReadsTheThreeForms) {
  const auto table = TokenTable::parse(
      "# who may call\n"
      "\n"
      "plain-token\r\n"
      "  anna  anna-token  # the first of hers\n"
      "anna other-token\n"
      "probe probe-token health,metrics");
  ASSERT_TRUE(table.ok()) << table.status().to_string();
  EXPECT_EQ(table->size(), 4u);
  ASSERT_NE(table->find("plain-token"), nullptr);
  EXPECT_EQ(table->find("plain-token")->name.size(), 8u);
  EXPECT_THAT(table->find("plain-token")->name, Not(HasSubstr("plain")));
  EXPECT_EQ(table->find("anna-token")->name, "anna");
  EXPECT_EQ(table->find("other-token")->name, "anna");
  EXPECT_TRUE(table->find("anna-token")->allows(ApiGroup::kManagement));
  const TokenTable::Token& probe = *table->find("probe-token");
  EXPECT_TRUE(probe.allows(ApiGroup::kHealth));
  EXPECT_TRUE(probe.allows(ApiGroup::kMetrics));
  EXPECT_FALSE(probe.allows(ApiGroup::kInference));
  EXPECT_FALSE(probe.allows(ApiGroup::kManagement));
}

TEST(TokenTable, FindsNothingElse) {
  const auto table = TokenTable::parse("anna anna-token\n");
  for (const char* presented : {"", "anna", "anna-toke", "anna-token ", "Anna-token", "anna-tokenx", "#"})
    EXPECT_EQ(table->find(presented), nullptr) << presented;
}

TEST(TokenTable, RefusesWithTheLineAndWithoutTheToken) {
  const std::pair<const char*, const char*> table[] = {
      {"", "has no token"},
      {"\n  \n# only a comment\n", "has no token"},
      {"good-one\nanna secret health extra\n", "line 2: a line is TOKEN, NAME TOKEN"},
      {"anna secret heath\n", "line 1: 'heath' is no group of calls"},
      {"anna secret health,\n", "line 1: '' is no group of calls"},
      {"anna secr\xc3\xa9t\n", "line 1: the token has characters"},
  };
  for (const auto& [text, message] : table) {
    const auto result = TokenTable::parse(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_THAT(result.status().message(), HasSubstr(message)) << text;
    EXPECT_THAT(result.status().message(), Not(HasSubstr("secr"))) << text;
  }
}

TEST(FirstToken, IsWhatAClientSends) {
  EXPECT_EQ(first_token("# mine\n\nabc\n"), "abc");
  EXPECT_EQ(first_token("anna abc\nother\n"), "abc");
  EXPECT_EQ(first_token("anna abc health\n"), "abc");
  EXPECT_EQ(first_token("# nothing\n"), "");
}

TEST(BearerToken, OfAnAuthorizationHeader) {
  EXPECT_EQ(bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(bearer_token("bearer   abc "), "abc");
  for (const char* value : {"", "Bearer", "Bearer ", "Bearerabc", "Basic abc", "abc"})
    EXPECT_EQ(bearer_token(value), "") << value;
}

}  // namespace
}  // namespace modelmill
