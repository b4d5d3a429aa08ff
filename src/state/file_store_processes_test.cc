#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <random>
#include <thread>

#include "state/file_store.h"
#include "state/testing/store_folder.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

int64_t number_in(StateStore& store, const std::string& key) {
  const auto stored = store.get(key);
  EXPECT_TRUE(stored.ok()) << stored.status().to_string();
  return stored.ok() && *stored ? std::stoll((*stored)->value) : 0;
}

/// Adds one, whatever others do meanwhile. What a child does, so it asserts nothing.
bool add_one(StateStore& store, const std::string& key) {
  while (true) {
    const auto stored = store.get(key);
    if (!stored.ok()) return false;
    const int64_t number = *stored ? std::stoll((*stored)->value) : 0;
    const auto put = store.compare_and_put(key, std::to_string(number + 1), *stored ? (*stored)->revision : 0);
    if (put.ok()) return true;
    if (put.status().code() != Code::kAborted) return false;
  }
}

TEST(FileStoreProcesses, NoUpdateIsLost) {
  constexpr int kProcesses = 4;
  constexpr int kEach = 100;
  const StoreFolder folder;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i)
    children.push_back(in_child([&] {
      const auto store = FileStore::open(folder.path());
      for (int n = 0; store.ok() && n < kEach; ++n)
        if (!add_one(**store, "n")) return 1;
      return store.ok() ? 0 : 2;
    }));
  for (const pid_t child : children) EXPECT_EQ(exit_of(child), 0);
  EXPECT_EQ(number_in(**FileStore::open(folder.path()), "n"), kProcesses * kEach);
}

TEST(FileStoreProcesses, NoUpdateIsLostAmongThreads) {
  const StoreFolder folder;
  const auto store = *FileStore::open(folder.path());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) EXPECT_TRUE(add_one(*store, "n"));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(number_in(*store, "n"), 200);
}

/// The writer tells by a pipe what it has put for good; the store must have that or the one put after it.
TEST(FileStoreProcesses, AWriterThatIsKilledLeavesAWholeStore) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  const StoreFolder folder;
  for (int round = 0; round < 200; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = in_child([&] {
      const auto store = FileStore::open(folder.path());
      while (store.ok() && add_one(**store, "n")) {
        const int64_t put = number_in(**store, "n");
        if (::write(pipe[1], &put, sizeof put) != sizeof put) return 1;
      }
      return 2;
    });
    ::close(pipe[1]);
    int64_t told = 0;
    ASSERT_EQ(::read(pipe[0], &told, sizeof told), static_cast<ssize_t>(sizeof told)) << "the child came to its loop";
    // Somewhere in the next few puts: how far the child is then is chance, and needn't be known.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(exit_of(child), -SIGKILL);
    for (int64_t more = 0; ::read(pipe[0], &more, sizeof more) == static_cast<ssize_t>(sizeof more);) told = more;
    ::close(pipe[0]);
    const auto store = FileStore::open(folder.path());
    ASSERT_TRUE(store.ok()) << store.status().to_string();
    EXPECT_TRUE((*store)->set_aside().empty());
    const int64_t kept = number_in(**store, "n");
    EXPECT_TRUE(kept == told || kept == told + 1) << kept << " where " << told << " was put";
    for (const auto& [name, text] : folder.files()) EXPECT_FALSE(name.ends_with(".draft")) << name;
  }
}

TEST(FileStoreProcesses, AFullDiskLeavesTheOldValue) {
  const StoreFolder folder;
  const auto store = *FileStore::open(folder.path());
  const uint64_t revision = *store->compare_and_put("a", "1", 0);
  const auto before = folder.files();
  // A limit on files' sizes fails in the middle of a file, as a full disk does.
  EXPECT_EQ(exit_of(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{4096, 4096};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const auto own = FileStore::open(folder.path());
              if (!own.ok()) return 1;
              const Status status =
                  (*own)->compare_and_put("a", "\"" + std::string(10000, 'x') + "\"", revision).status();
              const bool told = status.code() == Code::kUnavailable &&
                                status.message().find("File too large") != std::string::npos &&
                                status.message().find("key 'a'") != std::string::npos;
              return told ? 0 : 2;
            })),
            0);
  auto after = folder.files();
  after["lock"] = before.at("lock");  // the revision that was not used stays given
  EXPECT_EQ(after, before);
  EXPECT_TRUE(store->compare_and_put("a", "2", revision).ok());
}

TEST(FileStoreProcesses, ALeaseHasOneHolderAndEndsWithIt) {
  const StoreFolder folder;
  const auto store = *FileStore::open(folder.path());
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = in_child([&] {
    const auto own = FileStore::open(folder.path());
    const auto lease = (*own)->acquire("lifecycle", std::chrono::seconds(10));
    const char done = lease.ok() && (*lease)->held() ? 'y' : 'n';
    if (::write(ready[1], &done, 1) != 1) return 1;
    while (true) ::pause();
  });
  char done = 0;
  ASSERT_EQ(::read(ready[0], &done, 1), 1);
  ASSERT_EQ(done, 'y');
  const Status held = store->acquire("lifecycle", std::chrono::seconds(10)).status();
  EXPECT_EQ(held.code(), Code::kAlreadyExists);
  EXPECT_THAT(held.message(), HasSubstr("lease 'lifecycle' is held by process " + std::to_string(child) + " on "));
  EXPECT_TRUE(store->acquire("other", std::chrono::seconds(10)).ok());
  ::kill(child, SIGKILL);
  EXPECT_EQ(exit_of(child), -SIGKILL);
  {
    const auto lease = store->acquire("lifecycle", std::chrono::seconds(10));
    ASSERT_TRUE(lease.ok()) << lease.status().to_string();
    EXPECT_EQ(store->acquire("lifecycle", std::chrono::seconds(10)).status().code(), Code::kAlreadyExists);
  }
  EXPECT_TRUE(store->acquire("lifecycle", std::chrono::seconds(10)).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace modelmill
