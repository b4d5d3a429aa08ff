#include "storage/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/mutex.h"
#include "base/testing/temp_folder.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

const std::atomic<bool> kNotCancelled{false};

/// One object in memory, that counts its reads and can fail them.
class MemoryStore final : public ObjectStore {
 public:
  explicit MemoryStore(std::string text) : text_(std::move(text)) {}

  Result<std::vector<RemoteObject>> list(const std::atomic<bool>&) override {
    return std::vector<RemoteObject>{{"", "memory", text_.size(), "1"}};
  }
  Result<std::vector<Checksum>> more_checksums(const RemoteObject&, const std::atomic<bool>&) override { return sums; }
  Status read(const RemoteObject&, std::optional<ByteRange> range, const Sink& sink,
              const std::atomic<bool>&) override {
    {
      MutexLock lock(mutex_);
      if (++reads_ > allowed) return unavailable("no more");
    }
    const ByteRange what = range.value_or(ByteRange{0, text_.size()});
    // A try that fails in the middle comes first.
    if (what.size > 1) MM_RETURN_IF_ERROR(sink(what.begin, text_.substr(what.begin, what.size / 2)));
    return sink(what.begin, text_.substr(what.begin, what.size - short_by));
  }

  int reads() {
    MutexLock lock(mutex_);
    return reads_;
  }

  std::vector<Checksum> sums;
  int allowed = 1000;
  uint64_t short_by = 0;

 private:
  const std::string text_;
  Mutex mutex_;
  int reads_ MM_GUARDED_BY(mutex_) = 0;
};

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() { options_.chunk_bytes = 10; }

  Status load(MemoryStore& store, const std::atomic<bool>& cancelled = kNotCancelled) {
    return download(store, store.list(cancelled).value()[0], *cache_, target_, options_, cancelled);
  }

  const TempFolder folder_;
  const std::unique_ptr<BlobCache> cache_ = std::move(BlobCache::open(folder_ / "cache", 0)).value();
  const std::string target_ = folder_ / "cache/trees/file";
  const std::string text_ = "The quick brown fox jumps over the lazy dog";
  DownloadOptions options_;
};

TEST_F(DownloadTest, BytesAreToldOnceWhateverIsTriedAgain) {
  std::atomic<uint64_t> told{0};
  options_.on_bytes = [&](uint64_t bytes) { told += bytes; };
  MemoryStore store(text_);
  ASSERT_TRUE(load(store).ok());
  EXPECT_EQ(read_text_file(target_), text_);
  EXPECT_EQ(told, text_.size());
  EXPECT_EQ(store.reads(), 5);
  ASSERT_TRUE(load(store).ok());
  EXPECT_EQ(store.reads(), 5);
}

TEST_F(DownloadTest, AWrongSumLeavesNothing) {
  MemoryStore store(text_);
  store.sums = {digest_of(ChecksumKind::kCrc32c, text_), digest_of(ChecksumKind::kMd5, "another")};
  const Status status = load(store);
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr("md5 9e107d9d372bb6826bd81d3542a419d6"));
  EXPECT_FALSE(std::filesystem::exists(target_));
  store.sums.pop_back();
  ASSERT_TRUE(load(store).ok());
  EXPECT_EQ(store.reads(), 10);
}

TEST_F(DownloadTest, WhatCameBeforeAFailureIsKept) {
  options_.parallelism = 1;
  MemoryStore store(text_);
  store.allowed = 3;
  EXPECT_EQ(load(store).code(), Code::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(target_));
  store.allowed = 1000;
  ASSERT_TRUE(load(store).ok());
  EXPECT_EQ(store.reads(), 4 + 2);
  EXPECT_EQ(read_text_file(target_), text_);
}

TEST_F(DownloadTest, ATruncatedAnswerIsNotTheWhole) {
  MemoryStore store(text_);
  store.short_by = 1;
  const Status status = load(store);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("bytes came from byte"));
  EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(DownloadTest, Cancelled) {
  MemoryStore store(text_);
  const std::atomic<bool> cancel{true};
  EXPECT_EQ(load(store, cancel).code(), Code::kCancelled);
  EXPECT_EQ(store.reads(), 0);
}

}  // namespace
}  // namespace modelmill
