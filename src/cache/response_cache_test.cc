#include "cache/response_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "cache/testing/questions.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using testing::kept;
using ::testing::Not;
using testing::question;
using testing::reply;
using testing::text_of;

constexpr AnswerScope kScope{1, 0};

/// A cache that is asked with requests' own numbers, at times one after another.
class ResponseCacheTest : public ::testing::Test {
 protected:
  bool put(ResponseCache& cache, const std::string& asked, const std::string& answer, AnswerScope scope = kScope) {
    time_.advance(std::chrono::microseconds(1));
    const auto request = question(asked);
    return cache.put(question_hash(scope, *request), kept(scope, *request, reply(answer)), time_.now());
  }
  /// "-": it is not there.
  std::string find(ResponseCache& cache, const std::string& asked, AnswerScope scope = kScope) {
    time_.advance(std::chrono::microseconds(1));
    const auto request = question(asked);
    const auto found = cache.find(question_hash(scope, *request), scope, *request, time_.now());
    return found ? text_of(found->response()) : "-";
  }
  /// Of one entry like those of put().
  static uint64_t size_of(const std::string& asked, const std::string& answer) {
    return kept(kScope, *question(asked), reply(answer))->bytes();
  }

  ManualTime time_;
};

TEST_F(ResponseCacheTest, KnowsWhatWasPut) {
  ResponseCache cache({.bytes = 1 << 20});
  EXPECT_EQ(find(cache, "a"), "-");
  EXPECT_TRUE(put(cache, "a", "1"));
  EXPECT_TRUE(put(cache, "b", "2"));
  EXPECT_EQ(find(cache, "a"), "1");
  EXPECT_EQ(find(cache, "b"), "2");
  EXPECT_EQ(find(cache, "a", {2, 0}), "-") << "it is another version's";
  EXPECT_EQ(find(cache, "a", {1, 1}), "-") << "what it depends on has changed";
  EXPECT_EQ(cache.entries(), 2U);
  EXPECT_EQ(cache.bytes(), size_of("a", "1") + size_of("b", "2"));
}

TEST_F(ResponseCacheTest, APutInThePlaceOfAnotherTakesItsPlace) {
  ResponseCache cache({.bytes = 1 << 20});
  put(cache, "a", "1");
  put(cache, "a", "22");
  EXPECT_EQ(find(cache, "a"), "22");
  EXPECT_EQ(cache.entries(), 1U);
  EXPECT_EQ(cache.bytes(), size_of("a", "22"));
}

TEST_F(ResponseCacheTest, ThoseNotUsedForLongestMakeRoom) {
  ResponseCache cache({.bytes = 3 * size_of("a", "1")});
  for (const char* asked : {"a", "b", "c"}) put(cache, asked, "1");
  EXPECT_EQ(cache.entries(), 3U);
  EXPECT_EQ(find(cache, "a"), "1") << "now b is the oldest";
  put(cache, "d", "1");
  EXPECT_EQ(find(cache, "b"), "-");
  put(cache, "e", "1");
  EXPECT_EQ(find(cache, "c"), "-");
  for (const char* asked : {"a", "d", "e"}) EXPECT_EQ(find(cache, asked), "1") << asked;
  EXPECT_EQ(cache.bytes(), cache.limits().bytes);
}

TEST_F(ResponseCacheTest, ALargeAnswerMakesRoomForItselfAndOneThatIsTooLargeDoesNot) {
  const std::string large(20'000, 'l');
  ResponseCache cache({.bytes = size_of("z", large)});
  for (const char* asked : {"a", "b", "c"}) put(cache, asked, "1");
  EXPECT_FALSE(put(cache, "z", large + std::string(500, 'l')));
  EXPECT_EQ(cache.entries(), 3U) << "nobody went for it";
  EXPECT_TRUE(put(cache, "z", large));
  EXPECT_EQ(cache.entries(), 1U);
  EXPECT_EQ(find(cache, "z"), large);
}

TEST_F(ResponseCacheTest, IsBoundedByANumberOfAnswersToo) {
  ResponseCache cache({.entries = 2});
  for (const char* asked : {"a", "b", "c"}) put(cache, asked, std::string(10'000, 'x'));
  EXPECT_EQ(cache.entries(), 2U);
  EXPECT_EQ(find(cache, "a"), "-");
  EXPECT_NE(find(cache, "c"), "-");
}

TEST_F(ResponseCacheTest, QuestionsOfOneNumberAreNotTakenForEachOther) {
  constexpr uint64_t kSame = 42;
  ResponseCache cache({.bytes = 1 << 20});
  const auto one = question("one"), two = question("two");
  cache.put(kSame, kept(kScope, *one, reply("1")), time_.now());
  EXPECT_EQ(cache.find(kSame, kScope, *two, time_.now()), nullptr);
  ASSERT_NE(cache.find(kSame, kScope, *one, time_.now()), nullptr);
  cache.put(kSame, kept(kScope, *two, reply("2")), time_.now());
  EXPECT_EQ(text_of(cache.find(kSame, kScope, *two, time_.now())->response()), "2");
  EXPECT_EQ(cache.find(kSame, kScope, *one, time_.now()), nullptr) << "the later one has the place";
  EXPECT_EQ(cache.entries(), 1U);
}

TEST_F(ResponseCacheTest, ForgetsAnOwner) {
  ResponseCache cache({.bytes = 1 << 20});
  for (int i = 0; i < 100; ++i) put(cache, std::to_string(i), "1", {uint64_t(1 + i % 2), 0});
  cache.forget(1);
  EXPECT_EQ(cache.entries(), 50U);
  EXPECT_EQ(find(cache, "0", {1, 0}), "-");
  EXPECT_EQ(find(cache, "1", {2, 0}), "1");
  cache.forget(2);
  EXPECT_EQ(cache.entries(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
  EXPECT_TRUE(put(cache, "0", "2"));
}

TEST_F(ResponseCacheTest, ForgetsManyOfOneOwnerAndNoneOfAnother) {
  constexpr int kMany = 5'000;
  ResponseCache cache({.bytes = 1 << 26});
  for (int i = 0; i < kMany; ++i) put(cache, std::to_string(i), "1", {uint64_t(1 + i % 2), 0});
  cache.forget(1);
  EXPECT_EQ(cache.entries(), kMany / 2);
  cache.forget(1);
  cache.forget(3);
  for (int i = 0; i < kMany; ++i)
    ASSERT_EQ(find(cache, std::to_string(i), {uint64_t(1 + i % 2), 0}), i % 2 ? "1" : "-");
}

TEST(CacheLimits, ANumberComesWithABoundOfBytes) {
  EXPECT_EQ(CacheLimits({.entries = 100}).with_bytes().bytes, uint64_t{1} << 30);
  EXPECT_EQ(CacheLimits({.entries = 100}).with_bytes().entries, 100U);
  EXPECT_EQ(CacheLimits({.bytes = 7, .entries = 100}).with_bytes().bytes, 7U);
  EXPECT_FALSE(CacheLimits().with_bytes().any());
}

TEST_F(ResponseCacheTest, AnAnswerOutlivesItsEntry) {
  ResponseCache cache({.entries = 1});
  put(cache, "a", "1");
  const auto request = question("a");
  const auto found = cache.find(question_hash(kScope, *request), kScope, *request, time_.now());
  put(cache, "b", "2");
  EXPECT_EQ(find(cache, "a"), "-");
  EXPECT_EQ(text_of(found->response()), "1");
}

TEST_F(ResponseCacheTest, TellsOfItself) {
  MetricRegistry metrics;
  {
    ResponseCache cache({.bytes = 2 * size_of("a", "1")}, &metrics);
    for (const char* asked : {"a", "b", "c"}) put(cache, asked, "1");
    put(cache, "z", std::string(10'000, 'z'));
    find(cache, "a");
    find(cache, "c");
    find(cache, "c");
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("modelmill_cache_hits_total 2\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_misses_total 1\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_evictions_total 1\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_too_large_total 1\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_entries 2\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_bytes " + std::to_string(cache.bytes()) + "\n"));
    EXPECT_THAT(text, HasSubstr("modelmill_cache_limit_bytes " + std::to_string(cache.limits().bytes) + "\n"));
  }
  EXPECT_THAT(metrics.render(), Not(HasSubstr("modelmill_cache")));
}

/// Many threads ask and put: the bounds hold at every moment, and no answer is another question's.
TEST_F(ResponseCacheTest, HoldsItsBoundsUnderManyThreads) {
  constexpr int kThreads = 8, kRounds = 4'000, kQuestions = 200;
  ResponseCache cache({.bytes = 60 * size_of("100", "100"), .entries = 50});
  std::atomic<bool> wrong{false}, over{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < kRounds; ++i) {
        const std::string asked = std::to_string(100 + random() % kQuestions);
        const AnswerScope scope{1 + random() % 2, 0};
        const auto request = question(asked);
        const uint64_t hash = question_hash(scope, *request) & ~uint64_t{0xffff};  // some are of one number
        const auto found = cache.find(hash, scope, *request, Clock::now());
        if (found && text_of(found->response()) != asked) wrong = true;
        if (!found) cache.put(hash, kept(scope, *request, reply(asked)), Clock::now());
        if (i % 1'000 == 999) cache.forget(1 + random() % 2);
      }
    });
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) {
      // What has no place yet is counted before its room is made.
      if (cache.entries() > cache.limits().entries + kThreads) over = true;
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(wrong);
  EXPECT_FALSE(over);
  EXPECT_LE(cache.bytes(), cache.limits().bytes);
  EXPECT_LE(cache.entries(), cache.limits().entries);
  cache.forget(1);
  cache.forget(2);
  EXPECT_EQ(cache.bytes(), 0U);
  EXPECT_EQ(cache.entries(), 0U);
}

}  // namespace
}  // namespace modelmill
