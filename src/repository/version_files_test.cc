#include "repository/version_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class VersionFiles : public testing::Test {
 protected:
  VersionFiles() {
    folder_.write("m/1/model.onnx", "weights");
    folder_.write("m/1/assets/vocabulary.txt", "a b");
  }

  VersionFingerprint now() const {
    auto found = fingerprint(model_, version_, options_);
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    return found.ok() ? *found : VersionFingerprint();
  }

  const TempFolder folder_;
  FoundModel model_{"m", folder_ / "m", folder_.write("m/config.pbtxt", "name: 'm'"), {}, true, {}};
  FoundVersion version_{1, folder_ / "m/1", ""};
  FingerprintOptions options_;
};

struct Change {
  const char* name;
  std::function<void(const TempFolder&)> make;
  const char* file;  // that is told of; nullptr: it doesn't count
};

void set_time(const std::string& file, std::chrono::nanoseconds by) {
  fs::last_write_time(file, fs::last_write_time(file) + by);
}

TEST_F(VersionFiles, EveryWayInWhichFilesChange) {
  const Change changes[] = {
      {"another size", [](auto& f) { f.write("m/1/model.onnx", "longer weights"); }, "m/1/model.onnx"},
      {"another time", [](auto& f) { set_time(f / "m/1/model.onnx", std::chrono::nanoseconds(1)); }, "m/1/model.onnx"},
      {"size and time as before, another inode",
       [](auto& f) {
         const auto time = fs::last_write_time(f / "m/1/model.onnx");
         const std::string other = f.write("other", std::string(fs::file_size(f / "m/1/model.onnx"), 'x'));
         fs::last_write_time(other, time);
         fs::rename(other, f / "m/1/model.onnx");
       },
       "m/1/model.onnx"},
      {"a file below comes", [](auto& f) { f.write("m/1/assets/z/deep.txt"); }, "m/1/assets/z"},
      {"a file below goes", [](auto& f) { fs::remove(f / "m/1/assets/z/deep.txt"); }, "m/1/assets/z/deep.txt"},
      {"an empty folder comes", [](auto& f) { f.make("m/1/variables"); }, "m/1/variables"},
      {"the configuration", [](auto& f) { f.write("m/config.pbtxt", "name: 'm' max_batch_size: 4"); },
       "m/config.pbtxt"},
      {"a side file comes", [](auto& f) { f.write("m/labels.txt"); }, "m/labels.txt"},
      {"a side file goes", [](auto& f) { fs::remove(f / "m/labels.txt"); }, "m/labels.txt"},
      {"another version", [](auto& f) { f.write("m/2/model.onnx"); }, nullptr},
      {"what Python writes", [](auto& f) { f.write("m/1/__pycache__/model.cpython-311.pyc"); }, nullptr},
      {"nothing", [](auto&) {}, nullptr},
  };
  options_.side_files = {"labels.txt"};
  VersionFingerprint before = now();
  for (const Change& change : changes) {
    change.make(folder_);
    const VersionFingerprint after = now();
    EXPECT_EQ(before == after, change.file == nullptr) << change.name;
    EXPECT_EQ(changed_file(before, after), change.file == nullptr ? "" : folder_ / change.file) << change.name;
    before = after;
  }
}

TEST_F(VersionFiles, AnOldTimeSetAfterwardsIsSeenByTheTimeOfTheInode) {
  const std::string file = folder_ / "m/1/model.onnx";
  const auto time = fs::last_write_time(file);
  set_time(file, -std::chrono::hours(1));
  fs::last_write_time(file, time);
  const VersionFingerprint before = now();
  // The clock of inodes ticks coarsely: write until it has moved on.
  VersionFingerprint after = before;
  while (after == before) {
    folder_.write("m/1/model.onnx", "WEIGHTS");
    fs::last_write_time(file, time);
    after = now();
  }
  EXPECT_EQ(changed_file(before, after), file);
}

TEST_F(VersionFiles, ConfigurationOnlyWhenAsked) {
  options_.with_configuration = false;
  const VersionFingerprint before = now();
  folder_.write("m/config.pbtxt", "max_batch_size: 4");
  EXPECT_EQ(now(), before);
}

/// Kubernetes mounts: 1/model.onnx -> ..data/model.onnx, and ..data is set to another folder.
TEST_F(VersionFiles, LooksThroughLinks) {
  folder_.write("m/1/..a/w.onnx");
  folder_.write("m/1/..b/w.onnx");
  fs::create_directory_symlink("..a", folder_ / "m/1/..data");
  fs::create_symlink("..data/w.onnx", folder_ / "m/1/w.onnx");
  const VersionFingerprint before = now();
  fs::create_directory_symlink("..b", folder_ / "m/1/..new");
  fs::rename(folder_ / "m/1/..new", folder_ / "m/1/..data");
  const VersionFingerprint after = now();
  EXPECT_NE(before, after);
  EXPECT_EQ(now(), after);
}

TEST_F(VersionFiles, LinksThatLoopOrLeadNowhereEnd) {
  fs::create_directory_symlink("..", folder_ / "m/1/assets/up");
  fs::create_symlink("self", folder_ / "m/1/self");
  fs::create_symlink("nowhere", folder_ / "m/1/dangling");
  const VersionFingerprint before = now();
  EXPECT_EQ(now(), before);
  EXPECT_LT(before.files.size(), 15U);
  fs::remove(folder_ / "m/1/dangling");
  EXPECT_EQ(changed_file(before, now()), folder_ / "m/1/dangling");
}

/// Two links in each folder to the next one: 2^20 paths to 20 folders.
TEST_F(VersionFiles, ManyWaysToOneFolderAreOne) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "m/1/d" + std::to_string(i);
    folder_.make(name);
    for (const char* way : {"/a", "/b"})
      fs::create_directory_symlink("../d" + std::to_string(i + 1), folder_ / (name + way));
  }
  EXPECT_LT(now().files.size(), 100U);
}

TEST_F(VersionFiles, Limits) {
  options_.max_entries = 4;  // the folder, model.onnx, assets, vocabulary.txt
  now();
  folder_.write("m/1/one_more");
  const Status many = fingerprint(model_, version_, options_).status();
  EXPECT_EQ(many.code(), Code::kResourceExhausted);
  EXPECT_THAT(many.message(), HasSubstr("model 'm', version 1: there are more than 4 files"));
  options_ = {};
  options_.max_depth = 3;
  folder_.make("m/1/a/b");
  now();
  folder_.make("m/1/a/b/c");
  const Status deep = fingerprint(model_, version_, options_).status();
  EXPECT_EQ(deep.code(), Code::kResourceExhausted);
  EXPECT_THAT(deep.message(), HasSubstr("m/1/a/b/c' is more than 3 levels deep"));
}

TEST_F(VersionFiles, WhatCantBeLookedAtIsAnError) {
  options_.side_files = {"../other/labels.txt"};
  EXPECT_EQ(fingerprint(model_, version_, options_).status().code(), Code::kInvalidArgument);
  options_.side_files.clear();
  version_.directory = folder_ / "m/3";
  const Status gone = fingerprint(model_, version_, options_).status();
  EXPECT_EQ(gone.code(), Code::kUnavailable);
  EXPECT_THAT(gone.message(), HasSubstr("m/3': No such file or directory; it vanished"));
  if (::geteuid() == 0) return;  // who may read everything
  ::chmod((folder_ / "m/1/assets").c_str(), 0);
  version_.directory = folder_ / "m/1";
  EXPECT_EQ(fingerprint(model_, version_, options_).status().code(), Code::kPermissionDenied);
  ::chmod((folder_ / "m/1/assets").c_str(), 0700);
}

TEST_F(VersionFiles, AFileByItselfAndWhatBelongsToIt) {
  const FoundModel single{"net", "", "", {}, false, {}};
  for (const auto& [file, companion] :
       {std::pair{"net.onnx", "net.onnx.data"}, {"net.onnx", "net.onnx_data"}, {"net.xml", "net.bin"}}) {
    const TempFolder folder;
    const FoundVersion version{1, folder.path(), folder.write(file)};
    const auto before = fingerprint(single, version);
    ASSERT_TRUE(before.ok());
    folder.write("unrelated.bin");
    EXPECT_EQ(*fingerprint(single, version), *before);
    folder.write(companion);
    EXPECT_EQ(changed_file(*before, *fingerprint(single, version)), folder / companion);
    fs::remove(version.file);
    EXPECT_EQ(fingerprint(single, version).status().code(), Code::kUnavailable);
  }
}

}  // namespace
}  // namespace modelmill
