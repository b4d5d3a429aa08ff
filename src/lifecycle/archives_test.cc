#include "lifecycle/archives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/testing/made_archive.h"
#include "storage/unpacked_trees.h"

namespace modelmill {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr Duration kRest = std::chrono::seconds(1);

class ArchivesTest : public testing::Test {
 protected:
  std::string write(const std::string& content) {
    return make_archive(folder_, ArchiveKind::kTarGz, {{"net.onnx", '0', content}}, "net.tar.gz");
  }
  /// A look as it comes by itself.
  LocalCopy look(const std::string& path) {
    look_ = {now_};
    return archives_.open(path, look_, cancelled_);
  }
  LocalCopy ask(const std::string& path) {
    look_ = {now_, true};
    return archives_.open(path, look_, cancelled_);
  }

  const TempFolder folder_;
  const CachePaths paths_{folder_ / "cache"};
  Archives archives_{paths_.folder, 0, kRest};
  TimePoint now_ = Clock::now();
  Archives::Look look_{};
  std::atomic<bool> cancelled_{false};
};

TEST_F(ArchivesTest, AChangedOneWaitsForRestAndTheOldOneStays) {
  const std::string path = write("one");
  const std::string first = ask(path).path;
  write("another");
  EXPECT_EQ(look(path).path, first);
  EXPECT_TRUE(look_.changing);
  now_ += kRest / 2;
  write("a third");
  EXPECT_EQ(look(path).path, first);
  now_ += kRest * 3 / 4;
  EXPECT_EQ(look(path).path, first) << "it has been still for three quarters of a second";
  now_ += kRest / 4;
  const LocalCopy third = look(path);
  EXPECT_NE(third.path, first);
  EXPECT_FALSE(look_.changing);
  EXPECT_EQ(look(path).path, third.path);
}

TEST_F(ArchivesTest, ANewOneIsNotThereBeforeItRests) {
  const std::string path = write("one");
  EXPECT_EQ(look(path).path, "");
  EXPECT_TRUE(look_.changing);
  now_ += kRest;
  EXPECT_NE(look(path).path, "");
}

TEST_F(ArchivesTest, WhatFailedIsTriedAgainWhenSomebodyAsks) {
  const std::string path = folder_.write("net.tar.gz", "no archive");
  EXPECT_THAT(ask(path).problem.message(), HasSubstr("net.tar.gz"));
  // Nobody but this test would put a good one in its place without a trace.
  EXPECT_FALSE(look(path).problem.ok());
  EXPECT_FALSE(look_.changing);
  write("one");
  EXPECT_TRUE(ask(path).problem.ok());
}

TEST_F(ArchivesTest, ABadOneKeepsTheOldContent) {
  const std::string path = write("one");
  const std::string first = ask(path).path;
  folder_.write("net.tar.gz", "no archive");
  const LocalCopy second = ask(path);
  EXPECT_EQ(second.path, first);
  EXPECT_FALSE(second.problem.ok());
}

TEST_F(ArchivesTest, WhatIsMetNoMoreIsLetGo) {
  const std::string path = write("one");
  ask(path);
  EXPECT_THAT(unpacked_ids(paths_), SizeIs(1));
  std::filesystem::remove(path);
  archives_.keep_only({});
  EXPECT_THAT(unpacked_ids(paths_), SizeIs(0));
}

TEST_F(ArchivesTest, WhatWasCancelledIsUnpackedAnotherTime) {
  const std::string path = write("one");
  cancelled_ = true;
  EXPECT_EQ(ask(path).problem.code(), Code::kCancelled);
  cancelled_ = false;
  EXPECT_TRUE(ask(path).problem.ok());
}

}  // namespace
}  // namespace modelmill
