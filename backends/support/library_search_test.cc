#include "library_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace modelmill::backend {
namespace {

namespace fs = std::filesystem;

/// A folder that goes with the test, and the environment as it was.
class LibrarySearchTest : public testing::Test {
 protected:
  LibrarySearchTest() {
    std::string pattern = (fs::temp_directory_path() / "library_search.XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    unsetenv("MODELMILL_VENDOR");
    unsetenv("CONDA_PREFIX");
    unsetenv("VIRTUAL_ENV");
  }
  ~LibrarySearchTest() override {
    unsetenv("MODELMILL_VENDOR");
    unsetenv("VIRTUAL_ENV");
    fs::remove_all(root_);
  }

  std::string make(const std::string& file) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << "x";
    return (root_ / file).string();
  }
  std::vector<std::string> candidates(const std::string& plugin_dir = "/") const {
    return library_candidates(search_, plugin_dir);
  }

  const LibrarySearch search_{
      "MODELMILL_VENDOR", {"vendor/libs/libvendor.so.*"}, "libvendor.so*", {"libvendor.so.1", "libvendor.so"}};
  fs::path root_;
};

TEST_F(LibrarySearchTest, TheVariableExcludesAllOthers) {
  const std::string active = make("venv/lib/python3.11/site-packages/vendor/libs/libvendor.so.1");
  setenv("VIRTUAL_ENV", (root_ / "venv").c_str(), 1);
  EXPECT_EQ(candidates().front(), active);
  setenv("MODELMILL_VENDOR", "/opt/libvendor.so.7", 1);
  EXPECT_EQ(candidates(), std::vector<std::string>{"/opt/libvendor.so.7"});
}

TEST_F(LibrarySearchTest, TheVariableMayNameAFolderAnEnvironmentOrAPackage) {
  const std::string plain = make("plain/libvendor.so.2");
  const std::string packed = make("venv/lib/python3.11/site-packages/vendor/libs/libvendor.so.1");
  for (const auto& [named, found] : {std::pair{root_ / "plain", plain},
                                     {root_ / "venv", packed},
                                     {root_ / "venv/lib/python3.11/site-packages", packed},
                                     {root_ / "venv/lib/python3.11/site-packages/vendor", packed}}) {
    setenv("MODELMILL_VENDOR", named.c_str(), 1);
    EXPECT_EQ(candidates(), std::vector<std::string>{found}) << named;
  }
}

TEST_F(LibrarySearchTest, AFolderWithoutTheLibraryIsTriedAsItIsSoThatTheErrorNamesIt) {
  setenv("MODELMILL_VENDOR", root_.c_str(), 1);
  EXPECT_EQ(candidates(), std::vector<std::string>{root_.string()});
}

TEST_F(LibrarySearchTest, TheHighestVersionComesFirst) {
  const std::string old = make("plain/libvendor.so.1");
  const std::string recent = make("plain/libvendor.so.2");
  setenv("MODELMILL_VENDOR", (root_ / "plain").c_str(), 1);
  EXPECT_EQ(candidates(), (std::vector<std::string>{recent, old}));
}

TEST_F(LibrarySearchTest, EnvironmentsAroundThePluginAreFound) {
  const std::string file = make(".venv/lib/python3.11/site-packages/vendor/libs/libvendor.so.1");
  const auto found = candidates((root_ / "build/release").string());
  EXPECT_NE(std::find(found.begin(), found.end(), file), found.end());
}

TEST_F(LibrarySearchTest, TheSystemsNamesComeLast) {
  const auto found = candidates();
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found.back(), "libvendor.so");
  EXPECT_EQ(found[found.size() - 2], "libvendor.so.1");
}

}  // namespace
}  // namespace modelmill::backend
