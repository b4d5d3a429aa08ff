#include "storage/archive_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "storage/testing/made_archive.h"
#include "storage/unpacked_trees.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::atomic<bool> kGoOn{false};

class ArchiveCacheTest : public testing::Test {
 protected:
  std::unique_ptr<ArchiveCache> open(uint64_t max_bytes = 0) {
    auto cache = ArchiveCache::open(paths_.folder, max_bytes);
    EXPECT_TRUE(cache.ok()) << cache.status().to_string();
    return *std::move(cache);
  }
  std::string archive(const std::string& content, const std::string& name = "m.tar.gz") {
    return make_archive(folder_, ArchiveKind::kTarGz, {{"1/model.onnx", '0', content}}, name);
  }
  static std::shared_ptr<const UnpackedArchive> unpack(const ArchiveCache& cache, const std::string& path) {
    auto unpacked = cache.unpack(path, "m", kGoOn);
    EXPECT_TRUE(unpacked.ok()) << unpacked.status().to_string();
    return unpacked.ok() ? *unpacked : nullptr;
  }
  static std::string read(const UnpackedArchive& unpacked) {
    std::ifstream in(unpacked.folder() + "/1/model.onnx", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static ino_t inode(const UnpackedArchive& unpacked) {
    struct stat info {};
    return ::stat((unpacked.folder() + "/1/model.onnx").c_str(), &info) == 0 ? info.st_ino : 0;
  }
  std::vector<std::string> partials() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(paths_.partials())) names.push_back(entry.path().filename());
    return names;
  }

  const TempFolder folder_;
  const CachePaths paths_{folder_ / "cache"};
};

TEST_F(ArchiveCacheTest, IsUnpackedOnce) {
  const auto cache = open();
  const std::string path = archive("one");
  const auto first = unpack(*cache, path);
  EXPECT_EQ(read(*first), "one");
  EXPECT_TRUE(first->folder().ends_with("/m"));
  const auto second = unpack(*cache, path);
  EXPECT_EQ(first->folder(), second->folder());
  EXPECT_THAT(unpacked_ids(paths_), SizeIs(1));
  EXPECT_THAT(partials(), IsEmpty());
}

TEST_F(ArchiveCacheTest, IsUsedAgainByTheNextProcess) {
  const std::string path = archive("one");
  const ino_t before = inode(*unpack(*open(), path));
  EXPECT_EQ(inode(*unpack(*open(), path)), before);
}

TEST_F(ArchiveCacheTest, TheSameContentIsTheSameFolderWheneverItsFileWasWritten) {
  const auto cache = open();
  const std::string path = archive("one");
  const auto first = unpack(*cache, path);
  fs::last_write_time(path, fs::file_time_type::clock::now() + std::chrono::hours(24 * 365));
  const auto second = unpack(*cache, path);
  EXPECT_EQ(first->folder(), second->folder());
  const auto third = unpack(*cache, archive("one", "copy.tar.gz"));
  EXPECT_EQ(first->folder(), third->folder());
}

TEST_F(ArchiveCacheTest, WhatIsWantedNoMoreGoes) {
  const auto cache = open();
  const std::string path = archive("one");
  auto first = unpack(*cache, path);
  archive("another");
  auto second = unpack(*cache, path);
  EXPECT_EQ(read(*first), "one") << "it is in use still";
  EXPECT_EQ(read(*second), "another");
  first.reset();
  EXPECT_THAT(unpacked_ids(paths_), SizeIs(1));
  EXPECT_EQ(read(*second), "another");
  second.reset();
  EXPECT_THAT(unpacked_ids(paths_), SizeIs(1)) << "for the next start";
  fs::remove(path);
  open();
  EXPECT_THAT(unpacked_ids(paths_), IsEmpty());
  EXPECT_TRUE(fs::is_empty(paths_.archives()));
  EXPECT_TRUE(fs::is_empty(paths_.unpacked())) << "no lock is left";
}

TEST_F(ArchiveCacheTest, WhatADeadProcessLeftGoes) {
  const std::string path = archive("one");
  unpack(*open(), path);
  const std::string id = unpacked_ids(paths_).front();
  for (const std::string& left : {"/unpack-" + id, "/gone-" + id, std::string("/unpack-0123")}) {
    fs::create_directories(paths_.partials() + left + "/m");
    std::ofstream(paths_.partials() + left + "/m/half") << "half";
  }
  std::ofstream(paths_.partials() + "/note") << "half";
  const auto cache = open();
  EXPECT_THAT(partials(), IsEmpty());
  EXPECT_EQ(read(*unpack(*cache, path)), "one");
}

TEST_F(ArchiveCacheTest, ARefusedOneLeavesNothing) {
  const auto cache = open();
  const std::string path =
      make_archive(folder_, ArchiveKind::kZip, {{"a", '0', "x"}, {"../../out", '0', "y"}}, "bad.zip");
  const auto unpacked = cache->unpack(path, "bad", kGoOn);
  EXPECT_EQ(unpacked.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(unpacked.status().message(), AllOf(HasSubstr("bad.zip"), HasSubstr("'../../out'")));
  EXPECT_THAT(unpacked_ids(paths_), IsEmpty());
  EXPECT_THAT(partials(), IsEmpty());
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(ArchiveCacheTest, StaysBelowItsBound) {
  const auto cache = open(10'000);
  const auto kept = unpack(*cache, archive(std::string(4'000, 'a'), "a.tar.gz"));
  unpack(*cache, archive(std::string(5'000, 'b'), "b.tar.gz"));
  const auto third = unpack(*cache, archive(std::string(6'000, 'c'), "c.tar.gz"));
  EXPECT_EQ(unpacked_bytes(paths_), 10'000u) << "the one that nobody uses has gone";
  EXPECT_EQ(read(*kept).size(), 4'000u);
  const auto fourth = cache->unpack(archive("d", "d.tar.gz"), "m", kGoOn);
  EXPECT_EQ(fourth.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(fourth.status().message(), AllOf(HasSubstr("d.tar.gz"), HasSubstr("10000 bytes")));
}

TEST_F(ArchiveCacheTest, ManyAtOnceGetOneFolder) {
  const std::string path = archive(std::string(500'000, 'x'));
  const auto cache = open(), other = open();
  std::vector<std::shared_ptr<const UnpackedArchive>> all(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < all.size(); ++i)
    threads.emplace_back([&, i] { all[i] = unpack(i % 2 == 0 ? *cache : *other, path); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : all) EXPECT_EQ(one->folder(), all[0]->folder());
  EXPECT_EQ(read(*all[0]).size(), 500'000u);
}

TEST_F(ArchiveCacheTest, IsCancelled) {
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ(open()->unpack(archive("one"), "m", cancelled).status().code(), Code::kCancelled);
  EXPECT_THAT(unpacked_ids(paths_), IsEmpty());
}

TEST_F(ArchiveCacheTest, WithoutARoomItSaysWhatToDo) {
  const std::string file = folder_.write("file");
  const auto cache = ArchiveCache::open(file + "/cache", 0);
  EXPECT_THAT(cache.status().message(), AllOf(HasSubstr(file), HasSubstr("--model-cache")));
}

}  // namespace
}  // namespace modelmill
