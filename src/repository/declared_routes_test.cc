#include "repository/declared_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeclaredRoutesTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }

  TempFolder folder_;
};

TEST_F(DeclaredRoutesTest, AFileThatIsJustBeingWrittenIsNoneThatWantsNothing) {
  const std::string whole = write("a.yaml", "models: []\nrollouts: [{name: m, to: 2}]\n"), empty = write("b.yaml", "");
  const auto declared = read_declared_routes({whole, empty, folder_ / "gone.yaml"});
  ASSERT_TRUE(declared.ok()) << declared.status().message();
  EXPECT_THAT(declared->files, ElementsAre(whole, empty));
  EXPECT_THAT(declared->listing_files, ElementsAre(whole));
  ASSERT_EQ(declared->rollouts.size(), 1U);
  EXPECT_EQ(declared->rollouts[0].file, whole);
  const auto elsewhere = read_declared_routes({std::filesystem::relative(whole).string()});
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status().message();
  EXPECT_EQ(elsewhere->rollouts[0].file, whole);
  EXPECT_THAT(elsewhere->listing_files, ElementsAre(whole));
}

TEST_F(DeclaredRoutesTest, WhatTwoFilesWantOfOneNameIsAMistake) {
  const std::string one = write("a.yaml", "models: []\nexperiments: [{name: x, route: r, goal: g}]\n");
  const std::string two = write("b.yaml", "models: []\nexperiments: [{name: x, route: r, goal: h}]\n");
  EXPECT_THAT(read_declared_routes({one, two}).status().message(),
              HasSubstr("b.yaml:2:15: experiment 'x' is declared in another file too; remove one of them"));
}

}  // namespace
}  // namespace modelmill
