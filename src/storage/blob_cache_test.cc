#include "storage/blob_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/testing/temp_folder.h"
#include "storage/cache_room.h"
#include "storage/checksum.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

const std::atomic<bool> kNever{false};

class BlobCacheTest : public testing::Test {
 protected:
  std::unique_ptr<BlobCache> open(uint64_t max_bytes = 0) {
    return std::move(BlobCache::open(folder_ / "cache", max_bytes)).value();
  }

  static PartialFile::Identity identity(const std::string& name, uint64_t size, const std::string& version = "1") {
    return {name, version, size, 10};
  }

  static void fill(PartialFile& partial, const std::string& text) {
    ASSERT_TRUE(partial.write(0, text).ok());
    for (size_t i = 0; i < partial.chunks(); ++i) ASSERT_TRUE(partial.mark_done(i).ok());
  }

  /// Puts `text` into the cache and at `target`; its sum.
  std::string keep(const BlobCache& cache, const std::string& name, const std::string& text) {
    auto partial = cache.begin(identity(name, text.size()));
    EXPECT_TRUE(partial.ok()) << partial.status().to_string();
    if (!partial.ok()) return {};
    fill(*partial, text);
    const std::string sum = checksum_hex(digest_of(ChecksumKind::kSha256, text));
    EXPECT_TRUE(cache.keep(*std::move(partial), sum, target(name)).ok());
    return sum;
  }

  std::string target(const std::string& name) const { return folder_ / ("cache/trees/" + name + "/file"); }
  void remove_tree(const std::string& name) const {
    std::filesystem::remove_all(std::filesystem::path(target(name)).parent_path());
  }

  const TempFolder folder_;
};

TEST_F(BlobCacheTest, KeepsAndLinks) {
  const auto cache = open();
  EXPECT_EQ(cache->find("a", "1"), std::nullopt);
  const std::string sum = keep(*cache, "a", "content");
  EXPECT_EQ(cache->find("a", "1"), sum);
  EXPECT_EQ(cache->find("a", "2"), std::nullopt);
  EXPECT_EQ(read_text_file(target("a")), "content");
  EXPECT_TRUE(cache->is_linked(sum, target("a")));
  ASSERT_TRUE(cache->link(sum, target("b")).ok());
  EXPECT_TRUE(cache->is_linked(sum, target("b")));
  EXPECT_EQ(cache->link(std::string(64, '0'), target("b")).code(), Code::kNotFound);
}

TEST_F(BlobCacheTest, AnUnknownVersionIsNeverFound) {
  const auto cache = open();
  auto partial = cache->begin({"a", "", 1, 10});
  ASSERT_TRUE(partial.ok());
  fill(*partial, "x");
  ASSERT_TRUE(cache->keep(*std::move(partial), checksum_hex(digest_of(ChecksumKind::kSha256, "x")), target("a")).ok());
  EXPECT_EQ(cache->find("a", ""), std::nullopt);
}

TEST_F(BlobCacheTest, WhoHasAFileOpenKeepsIt) {
  const auto cache = open();
  keep(*cache, "a", "old");
  std::ifstream reader(target("a"));
  const std::string sum = keep(*cache, "b", "new");
  ASSERT_TRUE(cache->link(sum, target("a")).ok());
  std::string text;
  std::getline(reader, text);
  EXPECT_EQ(text, "old");
  EXPECT_EQ(read_text_file(target("a")), "new");
}

TEST_F(BlobCacheTest, TheLeastRecentlyUsedThatNoTreeLinksGoes) {
  const auto cache = open(100);
  const std::string first = keep(*cache, "a", std::string(40, 'a')), second = keep(*cache, "b", std::string(40, 'b'));
  remove_tree("a");
  remove_tree("b");
  ASSERT_TRUE(cache->link(first, target("c")).ok());  // used again
  remove_tree("c");
  const std::string third = keep(*cache, "d", std::string(40, 'd'));
  EXPECT_TRUE(cache->has(first));
  EXPECT_FALSE(cache->has(second));
  EXPECT_TRUE(cache->has(third));
  EXPECT_LE(cache_bytes(cache->paths()), 100u);
  EXPECT_EQ(cache->find("b", "1"), std::nullopt);
}

TEST_F(BlobCacheTest, WhatIsLinkedStaysAndTheErrorSaysHowMuchItIs) {
  const auto cache = open(100);
  const std::string sum = keep(*cache, "a", std::string(60, 'a'));
  const auto refused = cache->begin(identity("b", 50));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.status().message(), HasSubstr("may hold 100 bytes: 60 are in use, and 50 more are needed"));
  EXPECT_TRUE(cache->has(sum));
  EXPECT_FALSE(cache->begin(identity("c", 101)).ok());
}

TEST_F(BlobCacheTest, UnusedTreesGoBeforeAnythingIsRefused) {
  const auto cache = open(100);
  const std::string used = keep(*cache, "used", std::string(40, 'a'));
  const std::string unused = keep(*cache, "unused", std::string(40, 'b'));
  const std::string trees = cache->paths().trees() + '/';
  std::ofstream(trees + "unused.lock") << "";
  const auto lock = FileLock::take(trees + "used.lock", FileLock::Kind::kShared);
  ASSERT_TRUE(lock.ok());
  keep(*cache, "new", std::string(40, 'c'));
  EXPECT_TRUE(cache->has(used));
  EXPECT_FALSE(cache->has(unused));
  EXPECT_FALSE(std::filesystem::exists(trees + "unused"));
}

TEST_F(BlobCacheTest, PartialFilesCountAndGoUnlessTheyAreLoaded) {
  const auto cache = open(100);
  const auto claim = cache->claim(identity("a", 60), kNever);
  ASSERT_TRUE(claim.ok());
  ASSERT_TRUE(cache->begin(identity("a", 60)).ok());
  EXPECT_EQ(cache->begin(identity("b", 60)).status().code(), Code::kResourceExhausted);
  ASSERT_TRUE(cache->begin(identity("c", 40)).ok());  // nobody claims it
  ASSERT_TRUE(cache->begin(identity("d", 40)).ok());
  EXPECT_EQ(cache_bytes(cache->paths()), 100u);
}

TEST_F(BlobCacheTest, AClaimIsOnesAndWaitingCanBeCancelled) {
  const auto cache = open();
  const auto claim = cache->claim(identity("a", 1), kNever);
  ASSERT_TRUE(claim.ok());
  const std::atomic<bool> cancel{true};
  EXPECT_EQ(cache->claim(identity("a", 1), cancel).status().code(), Code::kCancelled);
  EXPECT_TRUE(cache->claim(identity("b", 1), cancel).ok());
}

TEST_F(BlobCacheTest, APartialFileIsGoneOnWith) {
  const auto cache = open();
  {
    auto partial = cache->begin(identity("a", 25));
    ASSERT_TRUE(partial.ok());
    ASSERT_TRUE(partial->write(10, "0123456789").ok());
    ASSERT_TRUE(partial->mark_done(1).ok());
  }
  auto again = cache->begin(identity("a", 25));
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->chunks(), 3u);
  EXPECT_EQ((std::vector<bool>{again->is_done(0), again->is_done(1), again->is_done(2)}),
            (std::vector<bool>{false, true, false}));
  EXPECT_EQ(again->bytes_done(), 10u);
  EXPECT_EQ(again->chunk_size(2), 5u);
}

TEST_F(BlobCacheTest, APartialFileOfSomethingElseIsNot) {
  const auto cache = open();
  const std::string path = folder_ / "partial";
  const PartialFile::Identity was{"a", "1", 25, 10};
  const auto make = [&] {
    auto partial = PartialFile::create(path, was);
    return partial.ok() && partial->mark_done(1).ok();
  };
  ASSERT_TRUE(make());
  EXPECT_TRUE(PartialFile::resume(path, was).has_value());
  for (const PartialFile::Identity& other :
       {PartialFile::Identity{"b", "1", 25, 10}, PartialFile::Identity{"a", "2", 25, 10},
        PartialFile::Identity{"a", "1", 24, 10}, PartialFile::Identity{"a", "1", 25, 5}})
    EXPECT_FALSE(PartialFile::resume(path, other).has_value());
  std::filesystem::resize_file(path + ".part", 24);
  EXPECT_FALSE(PartialFile::resume(path, was).has_value()) << "the data is of another size";
  ASSERT_TRUE(make());
  // Before the machine started: what is marked may never have reached the disk.
  std::string text = *read_text_file(path + ".ranges");
  text[text.rfind('\n') - 1] ^= 1;
  std::ofstream(path + ".ranges", std::ios::binary) << text;
  EXPECT_FALSE(PartialFile::resume(path, was).has_value());
}

TEST_F(BlobCacheTest, WhatTheDeadLeftIsTidiedUp) {
  std::string sum;
  {
    const auto cache = open();
    sum = keep(*cache, "a", "content");
    // Killed between linking and putting the link in its place; and an entry whose blob never came.
    std::filesystem::create_hard_link(cache->paths().blob(sum), cache->paths().partials() + "/link-next");
    std::ofstream(cache->paths().index() + "/dangling") << std::string(64, '0') << '\n';
  }
  const auto cache = open();
  struct stat info {};
  ASSERT_EQ(::stat(cache->paths().blob(sum).c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 2u);
  EXPECT_FALSE(std::filesystem::exists(cache->paths().index() + "/dangling"));
  EXPECT_EQ(cache->find("a", "1"), sum);
}

TEST_F(BlobCacheTest, AFullDiskIsToldWithItsBytes) {
  const auto cache = open();
  // A limit of file sizes is the nearest thing to a full disk that a test can have.
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small {
    1 << 20, before.rlim_max
  };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = cache->begin(identity("a", 2 << 20));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.status().message(), HasSubstr(folder_ / "cache/partial/"));
  EXPECT_THAT(refused.status().message(), HasSubstr("2097152 bytes are needed, "));
  EXPECT_THAT(refused.status().message(), HasSubstr(" are free; make room there"));
  EXPECT_EQ(cache_bytes(cache->paths()), 0u);
}

}  // namespace
}  // namespace modelmill
