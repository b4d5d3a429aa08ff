#include "server/access/token_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "server/access/state_token.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TokenFiles : public ::testing::Test {
 protected:
  TokenFiles() { fs::remove_all(folder_); }
  ~TokenFiles() override { fs::remove_all(folder_); }

  std::string write(const std::string& text) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "tokens") << text;
    return (folder_ / "tokens").string();
  }
  static int mode(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "token_files";
};

TEST_F(TokenFiles, NewTokensTakeThePlaceOfTheOld) {
  const auto store = TokenStore::open(write("one\n"));
  ASSERT_TRUE(store.ok());
  const auto before = (*store)->tokens();
  write("two\n");
  (*store)->reload();
  EXPECT_EQ((*store)->tokens()->find("one"), nullptr);
  EXPECT_NE((*store)->tokens()->find("two"), nullptr);
  EXPECT_NE(before->find("one"), nullptr);  // who was at it goes on with what it had
}

TEST_F(TokenFiles, ABadNewFileLeavesTheOldTokens) {
  const auto store = TokenStore::open(write("one\n"));
  ASSERT_TRUE(store.ok());
  for (const char* bad : {"", "# none\n", "a b c d\n"}) {
    write(bad);
    (*store)->reload();
    EXPECT_NE((*store)->tokens()->find("one"), nullptr) << bad;
  }
  fs::remove((*store)->file());
  (*store)->reload();
  EXPECT_NE((*store)->tokens()->find("one"), nullptr);
}

TEST_F(TokenFiles, AnUnusableFileIsNamed) {
  EXPECT_THAT(TokenStore::open((folder_ / "none").string()).status().message(),
              AllOf(HasSubstr("token_files/none' cannot be read"), HasSubstr("No such file")));
  EXPECT_THAT(TokenStore::open(write("\n")).status().message(),
              AllOf(HasSubstr("token_files/tokens'"), HasSubstr("has no token")));
}

TEST_F(TokenFiles, AMadeTokenIsItsOwnersAloneAndStays) {
  const auto file = keep_state_token((folder_ / "a" / "state").string());
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(*file, (folder_ / "a" / "state" / "token").string());
  EXPECT_EQ(mode(*file), 0600);
  EXPECT_EQ(mode(folder_ / "a" / "state"), 0700);
  const std::string text = *read_token_file(*file);
  EXPECT_EQ(text.size(), 65u);
  EXPECT_EQ(*keep_state_token((folder_ / "a" / "state").string()), *file);
  EXPECT_EQ(*read_token_file(*file), text);
  EXPECT_NE((*TokenStore::open(*file))->tokens()->find(first_token(text)), nullptr);
  fs::remove(*file);
  ASSERT_TRUE(keep_state_token((folder_ / "a" / "state").string()).ok());
  EXPECT_NE(*read_token_file(*file), text);
}

TEST_F(TokenFiles, AFolderThatCannotBeMadeIsNamed) {
  const std::string file = write("x");
  EXPECT_THAT(keep_state_token(file + "/state").status().message(), HasSubstr(file + "/state' for the server's state"));
  EXPECT_THAT(keep_state_token("").status().message(), HasSubstr("no home folder"));
}

}  // namespace
}  // namespace modelmill
