#include "init_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "modelmill/backend.hpp"

namespace modelmill::tensorflow {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class InitOps : public testing::Test {
 protected:
  InitOps() : model_(fs::temp_directory_path() / ("init_ops_test." + std::to_string(getpid()))), folder_(model_ / "1") {
    fs::create_directories(folder_);
  }
  ~InitOps() override { fs::remove_all(model_); }

  static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }
  std::string refusal(const std::string& name) {
    try {
      read_init_ops(folder_.string(), name);
    } catch (const backend::Error& error) {
      return error.what();
    }
    return "";
  }

  const fs::path model_, folder_;
};

TEST_F(InitOps, TheVersionsFolderComesBeforeTheModels) {
  write(model_ / "init.json", R"({"init_ops": ["outer"]})");
  EXPECT_THAT(read_init_ops(folder_.string(), "init.json"), ElementsAre("outer"));
  EXPECT_THAT(read_init_ops(folder_.string() + "/", "init.json"), ElementsAre("outer"));
  write(folder_ / "init.json", R"({"init_ops": ["a", "b/c"]})");
  EXPECT_THAT(read_init_ops(folder_.string(), "init.json"), ElementsAre("a", "b/c"));
}

TEST_F(InitOps, WhatIsNoListIsRefused) {
  write(folder_ / "none.json", "{}");
  EXPECT_THAT(refusal("none.json"), HasSubstr("must have a list init_ops"));
  write(folder_ / "number.json", R"({"init_ops": [1]})");
  EXPECT_THAT(refusal("number.json"), HasSubstr("must list names of operations"));
  write(folder_ / "broken.json", "{");
  EXPECT_NE(refusal("broken.json"), "");
}

TEST_F(InitOps, FilesElsewhereAreNotRead) {
  EXPECT_THAT(refusal("absent.json"), HasSubstr("there is no 'absent.json'"));
  EXPECT_THAT(refusal("../absent.json"), HasSubstr("must be a file in the folder"));
  EXPECT_THAT(refusal("/etc/passwd"), HasSubstr("must be a file in the folder"));
}

}  // namespace
}  // namespace modelmill::tensorflow
