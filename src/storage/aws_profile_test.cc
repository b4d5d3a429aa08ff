#include "storage/aws_profile.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(ReadIniSection, TakesItsOwnSettings) {
  constexpr const char* kText =
      "# comment\n"
      "[default]\n"
      "region = eu-central-1\r\n"
      "[ profile mine ]\n"
      "; comment\n"
      "aws_access_key_id=KEY\n"
      "aws_secret_access_key = a=b+c/==\n"
      "s3 =\n"
      "  region = nested\n"
      "[profile mine2]\n"
      "region = other\n";
  std::map<std::string, std::string> settings;
  EXPECT_TRUE(read_ini_section(kText, "profile mine", settings));
  EXPECT_EQ(settings, (std::map<std::string, std::string>{
                          {"aws_access_key_id", "KEY"}, {"aws_secret_access_key", "a=b+c/=="}, {"s3", ""}}));
  EXPECT_TRUE(read_ini_section(kText, "default", settings));
  EXPECT_EQ(settings["region"], "eu-central-1");
  EXPECT_FALSE(read_ini_section(kText, "mine", settings));
}

}  // namespace
}  // namespace modelmill
