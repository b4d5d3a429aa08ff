#include "cache/version_cache.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "cache/testing/questions.h"
#include "request/background.h"
#include "runtime/turn.h"

namespace modelmill {
namespace {

using testing::AnswerSink;
using testing::question;
using testing::reply;
using testing::text_of;

/// What a version does: it asks its cache, and computes what that doesn't know.
class VersionCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<VersionCache> make(VersionCache::Ground ground = nullptr, Offload* offload = nullptr) {
    return std::make_shared<VersionCache>(cache_, stats_, std::move(ground), offload, time_);
  }
  /// The request if it is to be run, or null: it has been answered.
  static InferRequestPtr missed(VersionCache& cache, InferRequestPtr request) {
    InferRequestPtr unknown;
    cache.answer(std::move(request), [&unknown](InferRequestPtr missing) { unknown = std::move(missing); });
    return unknown;
  }
  /// The answer; computed ones are numbered.
  std::string ask(VersionCache& cache, InferRequestPtr request) {
    const auto sink = std::make_shared<AnswerSink>();
    request->replace_sink(sink);
    request->times.received = request->times.queued = time_.now();
    if (const auto unknown = missed(cache, std::move(request))) unknown->complete(reply(std::to_string(++computed_)));
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
  AnswerGround ground{1, 1};
  const auto cache = make([&ground] { return ground; });
  EXPECT_EQ(ask(*cache, "a"), "1");
  ground = {1, 2};
  EXPECT_EQ(ask(*cache, "a"), "1") << "what has changed is nothing to them";
  ground = {2, 3};
  EXPECT_EQ(ask(*cache, "a"), "2");
  EXPECT_EQ(ask(*cache, "a"), "2");
  // It changes while the answer is computed, before or after what it depends on was looked at.
  auto request = question("b");
  request->times.queued = time_.now();
  request = missed(*cache, std::move(request));
  ASSERT_TRUE(request);
  ground = {3, 4};
  request->complete(reply("old"));
  EXPECT_EQ(ask(*cache, "b"), "3");
  // And is changed back.
  request = question("c");
  request = missed(*cache, std::move(request));
  ground = {3, 6};
  request->complete(reply("old"));
  EXPECT_EQ(ask(*cache, "c"), "4");
  ground = {3, 6, false};
  EXPECT_EQ(ask(*cache, "c"), "5") << "nobody knows whether it is true";
  ground = {3, 6};
  EXPECT_EQ(ask(*cache, "c"), "4");
}

TEST_F(VersionCacheTest, ErrorsAndAnswersInPartsAreNotKept) {
  const auto cache = make();
  auto request = missed(*cache, question("a"));
  ASSERT_TRUE(request);
  request->fail(internal("broken"));
  request = missed(*cache, question("a"));
  ASSERT_TRUE(request);
  request->respond(reply("part"));
  request->complete(reply("rest"));
  request = missed(*cache, question("a"));
  ASSERT_TRUE(request);
  request->respond(reply("part"));
  request->finish();
  EXPECT_EQ(cache_->entries(), 0U);
  EXPECT_EQ(stats_->view().cache_miss.count, 0U);
}

TEST_F(VersionCacheTest, WhatAHandlerSaysOfItsFailureIsNotKept) {
  const auto cache = make();
  const auto said = [&](const std::string& name, ParameterValue value) {
    InferResponse response = reply("said");
    response.parameters.set(name, std::move(value));
    const auto request = missed(*cache, question("a"));
    ASSERT_TRUE(request) << name;
    request->complete(std::move(response));
  };
  said("error", std::string("no such page"));
  said("status", std::string("400"));
  said("status", std::string("503"));
  EXPECT_EQ(cache_->entries(), 0U);
  said("status", std::string("203"));
  EXPECT_EQ(cache_->entries(), 1U);
  EXPECT_EQ(ask(*cache, "a"), "said");
}

TEST_F(VersionCacheTest, LargeQuestionsAreNoWorkForALoop) {
  cache_ = std::make_shared<ResponseCache>(CacheLimits{.bytes = 1 << 20});
  Offload offload(1, 1);
  const auto cache = make(nullptr, &offload);
  const std::string large(2 * kLoopBytes, 'l');
  std::promise<void> gate;
  /// Asks on the thread of a loop, and answers what is not known; where that was.
  const auto ask_on_loop = [&](const std::string& data, const std::shared_ptr<AnswerSink>& sink) {
    auto ran = std::make_shared<std::promise<std::thread::id>>();
    std::thread([&] {
      Turn turn;
      Turn::set_current(&turn);
      cache->answer(question(data, sink), [ran](InferRequestPtr unknown) {
        unknown->complete(reply("computed"));
        ran->set_value(std::this_thread::get_id());
      });
      Turn::set_current(nullptr);
    }).join();
    return ran->get_future();
  };
  std::promise<std::thread::id> offloaded;
  ASSERT_TRUE(offload.run([&] { offloaded.set_value(std::this_thread::get_id()); }));
  const std::thread::id other = offloaded.get_future().get();
  EXPECT_NE(ask_on_loop("small", std::make_shared<AnswerSink>()).get(), other);
  EXPECT_EQ(ask_on_loop(large, std::make_shared<AnswerSink>()).get(), other);
  EXPECT_EQ(cache_->entries(), 2U);
  // There is no more room there: it is computed.
  std::promise<void> begun;
  ASSERT_TRUE(offload.run([&] {
    begun.set_value();
    gate.get_future().wait();
  }));
  begun.get_future().wait();
  const auto waiting = std::make_shared<AnswerSink>();
  ask_on_loop(large, waiting);
  EXPECT_EQ(waiting->finals, 0) << "behind the other work";
  EXPECT_NE(ask_on_loop(large, std::make_shared<AnswerSink>()).get(), other);
  EXPECT_EQ(stats_->view().cache_miss.count, 2U);
  gate.set_value();
  offload.stop();
  EXPECT_EQ(text_of(waiting->last), "computed") << "as it was kept";
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
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
  EXPECT_EQ(ask(*cache, changed([](InferRequest& r) { r.keepable = false; })), "7");
  EXPECT_EQ(ask(*cache, "a"), "1");
  EXPECT_EQ(cache_->entries(), 1U);
}

TEST_F(VersionCacheTest, WhatIsTooLargeIsAMiss) {
  const auto cache = make();
  const std::string large(1 << 17, 'l');
  EXPECT_EQ(ask(*cache, large), "1");
  EXPECT_EQ(ask(*cache, large), "2");
  const auto request = missed(*cache, question("a"));
  ASSERT_TRUE(request);
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
  auto request = missed(*cache, question("a"));
  ASSERT_TRUE(request);
  cache.reset();
  request->complete(reply("late"));
  request.reset();
  EXPECT_EQ(cache_->entries(), 0U);
}

}  // namespace
}  // namespace modelmill
