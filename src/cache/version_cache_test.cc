#include "cache/version_cache.h"

#include <gtest/gtest.h>

#include "cache/testing/questions.h"
#include "request/background.h"

namespace modelmill {
namespace {

using testing::AnswerSink;
using testing::question;
using testing::reply;
using testing::text_of;

/// What a version does: it asks its cache, and computes what that doesn't know.
class VersionCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<VersionCache> make(VersionCache::Epoch epoch = nullptr) {
    return std::make_shared<VersionCache>(cache_, stats_, std::move(epoch), time_);
  }
  /// The answer; computed ones are numbered.
  std::string ask(VersionCache& cache, InferRequestPtr request) {
    const auto sink = std::make_shared<AnswerSink>();
    request->replace_sink(sink);
    request->times.received = request->times.queued = time_.now();
    if (!cache.answer(request)) request->complete(reply(std::to_string(++computed_)));
    EXPECT_EQ(sink->finals, 1);
    return text_of(sink->last);
  }
  std::string ask(VersionCache& cache, const std::string& data) { return ask(cache, question(data)); }

  ManualTime time_;
  MetricRegistry metrics_;
  std::shared_ptr<VersionStats> stats_ = std::make_shared<VersionStats>(metrics_, "m", 1);
  std::shared_ptr<ResponseCache> cache_ = std::make_shared<ResponseCache>(CacheLimits{.bytes = 1 << 16});
  int computed_ = 0;
};

TEST_F(VersionCacheTest, AnswersWhatItKnows) {
  const auto cache = make();
  EXPECT_EQ(ask(*cache, "a"), "1");
  EXPECT_EQ(ask(*cache, "b"), "2");
  EXPECT_EQ(ask(*cache, "a"), "1");
  EXPECT_EQ(ask(*cache, "b"), "2");
  const auto view = stats_->view();
  EXPECT_EQ(view.cache_hit.count, 2U);
  EXPECT_EQ(view.cache_miss.count, 2U);
  EXPECT_EQ(view.success.count, 2U) << "those that were computed are counted by who computes";
  EXPECT_EQ(view.inference_count, 0U) << "as in Triton";
  EXPECT_EQ(view.execution_count, 0U);
  EXPECT_GT(view.last_inference_ms, 0U);
}

TEST_F(VersionCacheTest, AVersionThatIsLoadedAgainKnowsNothing) {
  auto cache = make();
  EXPECT_EQ(ask(*cache, "a"), "1");
  const auto next = make();  // beside it, while the first one drains
  EXPECT_EQ(ask(*next, "a"), "2");
  EXPECT_EQ(ask(*cache, "a"), "1");
  cache.reset();
  EXPECT_EQ(cache_->entries(), 1U) << "what was the first one's has gone with it";
  EXPECT_EQ(ask(*next, "a"), "2");
}

TEST_F(VersionCacheTest, WhatAnswersDependOnMayChange) {
  uint64_t epoch = 1;
  const auto cache = make([&epoch] { return epoch; });
  EXPECT_EQ(ask(*cache, "a"), "1");
  epoch = 2;
  EXPECT_EQ(ask(*cache, "a"), "2");
  EXPECT_EQ(ask(*cache, "a"), "2");
  // It changes while the answer is computed, before or after what it depends on was looked at.
  auto request = question("b");
  request->times.queued = time_.now();
  ASSERT_FALSE(cache->answer(request));
  epoch = 3;
  request->complete(reply("old"));
  EXPECT_EQ(ask(*cache, "b"), "3");
}

TEST_F(VersionCacheTest, ErrorsAndAnswersInPartsAreNotKept) {
  const auto cache = make();
  auto request = question("a");
  ASSERT_FALSE(cache->answer(request));
  request->fail(internal("broken"));
  request = question("a");
  ASSERT_FALSE(cache->answer(request));
  request->respond(reply("part"));
  request->complete(reply("rest"));
  request = question("a");
  ASSERT_FALSE(cache->answer(request));
  request->respond(reply("part"));
  request->finish();
  EXPECT_EQ(cache_->entries(), 0U);
  EXPECT_EQ(stats_->view().cache_miss.count, 0U);
}

TEST_F(VersionCacheTest, SomeRequestsPassItBy) {
  const auto cache = make();
  EXPECT_EQ(ask(*cache, "a"), "1");
  const auto changed = [](auto change) {
    auto request = question("a");
    change(*request);
    return request;
  };
  EXPECT_EQ(ask(*cache, changed([](InferRequest& r) { r.sequence.id = uint64_t{7}; })), "2");
  EXPECT_EQ(ask(*cache, changed([](InferRequest& r) { r.sequence.id = std::string("s"); })), "3");
  EXPECT_EQ(ask(*cache, changed([](InferRequest& r) { r.priority = kBackgroundPriority; })), "4");
  EXPECT_EQ(ask(*cache, changed([&](InferRequest& r) { r.deadline = time_.now(); })), "5");
  EXPECT_EQ(ask(*cache, changed([&](InferRequest& r) {
              r.cancel = std::make_shared<CancelToken>();
              r.cancel->cancel(CancelToken::Reason::kClientGone);
            })),
            "6");
  EXPECT_EQ(ask(*cache, "a"), "1");
  EXPECT_EQ(cache_->entries(), 1U);
}

TEST_F(VersionCacheTest, WhatIsTooLargeIsAMiss) {
  const auto cache = make();
  const std::string large(1 << 17, 'l');
  EXPECT_EQ(ask(*cache, large), "1");
  EXPECT_EQ(ask(*cache, large), "2");
  auto request = question("a");
  ASSERT_FALSE(cache->answer(request));
  request->complete(reply(large));
  EXPECT_EQ(cache_->entries(), 0U);
  EXPECT_EQ(stats_->view().cache_miss.count, 3U);
}

TEST_F(VersionCacheTest, BytesInPiecesAreTheSameQuestion) {
  const auto cache = make();
  EXPECT_EQ(ask(*cache, "abcd"), "1");
  auto request = question("abcd");
  request->inputs[0].data = {Bytes::copy_of("ab"), Bytes::copy_of("cd")};
  EXPECT_EQ(ask(*cache, std::move(request)), "1");
}

TEST_F(VersionCacheTest, AnAnswerMayComeWhenTheVersionHasGone) {
  auto cache = make();
  auto request = question("a");
  ASSERT_FALSE(cache->answer(request));
  cache.reset();
  request->complete(reply("late"));
  request.reset();
  EXPECT_EQ(cache_->entries(), 0U);
}

}  // namespace
}  // namespace modelmill
