#include "server/file_watcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace modelmill {
namespace {

namespace fs = std::filesystem;

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() : folder_(fs::path(::testing::TempDir()) / ("file_watcher_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~FileWatcherTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

  const fs::path folder_;
};

TEST_F(FileWatcherTest, SeesEveryWayInWhichAFileChanges) {
  write("a", "one");
  write("b", "two");
  FileWatcher watcher({path("a"), path("b"), path("absent")}, [] {});
  EXPECT_FALSE(watcher.look());

  write("b", "three");  // another size
  EXPECT_TRUE(watcher.look());
  EXPECT_FALSE(watcher.look());

  fs::last_write_time(path("a"), fs::last_write_time(path("a")) + std::chrono::nanoseconds(1));
  EXPECT_TRUE(watcher.look());
  EXPECT_FALSE(watcher.look());

  write("new", "one");  // the same size and time, another inode
  fs::last_write_time(path("new"), fs::last_write_time(path("a")));
  fs::rename(path("new"), path("a"));
  EXPECT_TRUE(watcher.look());
  EXPECT_FALSE(watcher.look());

  fs::remove(path("a"));
  EXPECT_TRUE(watcher.look());
  EXPECT_FALSE(watcher.look());
  write("absent", "");
  EXPECT_TRUE(watcher.look());
  EXPECT_FALSE(watcher.look());
}

TEST_F(FileWatcherTest, WhatIsStillBeingWrittenIsWaitedFor) {
  write("a", "one");
  FileWatcher watcher({path("a")}, [] {});
  EXPECT_FALSE(watcher.look_settled());
  write("a", "a half");
  EXPECT_FALSE(watcher.look_settled());
  write("a", "a half, and the other");
  EXPECT_FALSE(watcher.look_settled());
  EXPECT_TRUE(watcher.look_settled());
  EXPECT_FALSE(watcher.look_settled());
}

/// Kubernetes: tls.crt -> ..data/tls.crt, and ..data is set to another folder.
TEST_F(FileWatcherTest, LooksThroughLinksOfFolders) {
  for (const char* version : {"v1", "v2"}) {
    fs::create_directory(folder_ / version);
    write(std::string(version) + "/tls.crt", "same");
  }
  fs::create_directory_symlink("v1", folder_ / "data");
  fs::create_symlink("data/tls.crt", folder_ / "tls.crt");
  FileWatcher watcher({path("tls.crt")}, [] {});
  EXPECT_FALSE(watcher.look());
  fs::create_directory_symlink("v2", folder_ / "data.new");
  fs::rename(folder_ / "data.new", folder_ / "data");
  EXPECT_TRUE(watcher.look());
}

TEST_F(FileWatcherTest, CallsBackOnceForAChange) {
  write("a", "one");
  Mutex mutex;
  CondVar changed;
  int calls = 0;
  FileWatcher watcher(
      {path("a")},
      [&] {
        MutexLock lock(mutex);
        ++calls;
        changed.notify_all();
      },
      std::chrono::milliseconds(1));
  write("a", "before the start");  // is not missed
  watcher.start();
  {
    MutexLock lock(mutex);
    while (calls < 1) changed.wait(mutex);
  }
  fs::rename(path("a"), path("b"));
  MutexLock lock(mutex);
  while (calls < 2) changed.wait(mutex);
  EXPECT_EQ(calls, 2);
}

TEST_F(FileWatcherTest, LooksAtFurtherFilesThatItIsTold) {
  write("a", "one");
  write("b", "one");
  Mutex mutex;
  CondVar changed;
  int calls = 0;
  FileWatcher watcher(
      {path("a")},
      [&] {
        MutexLock lock(mutex);
        ++calls;
        changed.notify_all();
        return FileWatcher::Next{{path("a"), path("b")}, calls == 3};
      },
      std::chrono::milliseconds(1));
  const auto wait_for = [&](int wanted) {
    MutexLock lock(mutex);
    while (calls < wanted) changed.wait(mutex);
  };
  watcher.start();
  write("a", "another");
  wait_for(2);  // of a, and of b, which is new
  write("b", "another");
  wait_for(4);  // and once more, as it is told
}

TEST_F(FileWatcherTest, EndsAtOnceInTheMiddleOfItsInterval) {
  FileWatcher watcher(
      {path("a")}, [] { ADD_FAILURE(); }, std::chrono::hours(1));
  watcher.start();
}

}  // namespace
}  // namespace modelmill
