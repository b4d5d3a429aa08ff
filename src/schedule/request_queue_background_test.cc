// What is in the background (request/background.h) never costs others anything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "request/background.h"
#include "schedule/request_queue.h"
#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::make_request;
using testing::RecordingSink;
using Ids = std::vector<std::string>;

/// Requests whose names begin with '~' are in the background, and those that end with '!' are waited for by one who
/// holds resources; each has 16 bytes.
class RequestQueueBackgroundTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  RequestQueueBackgroundTest() {
    limits_.max_requests = 8;
    limits_.max_bytes = 1 << 20;
    limits_.levels = GetParam();
    limits_.default_level = 1;
    limits_.holders_first = true;
  }
  RequestQueue queue() { return RequestQueue("m", limits_, /*by_shape=*/false); }
  Status push(RequestQueue& queue, const std::string& id) {
    auto request = make_request(sink_, id);
    if (id[0] == '~') request->priority = kBackgroundPriority;
    request->holds_resources = id.back() == '!';
    request->times.queued = time_.now();
    const Status status = queue.push(request, time_.now(), dropped_);
    if (!status.ok()) request->fail(status);
    return status;
  }
  void push_all(RequestQueue& queue, const Ids& ids) {
    for (const std::string& id : ids) ASSERT_TRUE(push(queue, id).ok()) << id;
  }
  Ids cut(RequestQueue& queue, const BatchPolicy& policy, RequestQueue::From from = RequestQueue::From::kAll) {
    Ids ids;
    last_ = queue.next(policy, time_.now(), {1}, dropped_, nullptr, {}, from);
    for (const auto& request : last_.batch) {
      ids.push_back(request->id);
      request->complete({});
    }
    last_.batch.clear();
    return ids;
  }
  Ids take_dropped() {
    Ids ids;
    for (auto& [request, status] : dropped_) {
      EXPECT_EQ(status.code(), Code::kResourceExhausted);
      ids.push_back(request->id);
      request->fail(std::move(status));
    }
    dropped_.clear();
    return ids;
  }

  ManualTime time_;
  RequestQueue::Limits limits_;
  std::shared_ptr<RecordingSink> sink_ = std::make_shared<RecordingSink>();
  std::vector<RequestQueue::Dropped> dropped_;
  RequestQueue::Next last_;
};

TEST_P(RequestQueueBackgroundTest, WhatAHolderOfResourcesWaitsForComesFirst) {
  RequestQueue queue = this->queue();
  push_all(queue, {"a", "~b"});
  EXPECT_EQ(queue.foremost(), 0);
  push_all(queue, {"~c!", "d!", "e"});
  EXPECT_EQ(queue.foremost(), 2);
  for (const char* id : {"~c!", "d!", "a", "e", "~b"}) EXPECT_EQ(cut(queue, {.max_rows = 1}), Ids{id});
  EXPECT_EQ(queue.foremost(), 0);
  EXPECT_TRUE(queue.empty());
}

TEST_P(RequestQueueBackgroundTest, WhereNothingIsHeldAHolderComesFirstOfNobody) {
  limits_.holders_first = false;
  RequestQueue queue = this->queue();
  push_all(queue, {"~b!", "a", "d!"});
  EXPECT_EQ(queue.foremost(), 0);
  for (const char* id : {"a", "d!", "~b!"}) EXPECT_EQ(cut(queue, {.max_rows = 1}), Ids{id});
}

TEST_P(RequestQueueBackgroundTest, TheForemostCanBeTakenAlone) {
  constexpr auto kForemost = RequestQueue::From::kForemost;
  RequestQueue queue = this->queue();
  push_all(queue, {"a", "b!", "~c", "~d!", "e"});
  EXPECT_EQ(cut(queue, {.max_rows = 3, .max_delay = 100us}, kForemost), Ids{}) << "two are no full batch";
  EXPECT_EQ(last_.decision.until, time_.now() + 100us);
  EXPECT_EQ(cut(queue, {.max_rows = 4}, kForemost), (Ids{"b!", "~d!"}));
  EXPECT_EQ(cut(queue, {.max_rows = 4}, kForemost), Ids{});
  EXPECT_EQ(cut(queue, {.max_rows = 4}), (Ids{"a", "e"}));
}

TEST_P(RequestQueueBackgroundTest, ItComesLastAndByItself) {
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "a", "~2", "b"});
  EXPECT_FALSE(queue.nobody_waits());
  EXPECT_EQ(cut(queue, {.max_rows = 8}), (Ids{"a", "b"})) << "a batch of others is not made larger";
  EXPECT_TRUE(queue.nobody_waits());
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(cut(queue, {.max_rows = 8}), (Ids{"~1", "~2"}));
  EXPECT_TRUE(queue.empty());
}

TEST_P(RequestQueueBackgroundTest, ItDoesNotRunWhileOthersWait) {
  RequestQueue queue = this->queue();
  const BatchPolicy policy{.max_rows = 2, .max_delay = 100us};
  push_all(queue, {"~1", "~2", "a"});
  EXPECT_EQ(cut(queue, policy), Ids{});
  EXPECT_EQ(last_.decision.until, time_.now() + 100us);
  time_.advance(100us);
  EXPECT_EQ(cut(queue, policy), Ids{"a"});
  EXPECT_EQ(cut(queue, policy), (Ids{"~1", "~2"}));
}

TEST_P(RequestQueueBackgroundTest, ItIsNotInFrontOfOthers) {
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "~2", "a"});
  const auto request = make_request(sink_), background = make_request(sink_);
  background->priority = kBackgroundPriority;
  EXPECT_EQ(queue.rows_before(*request), 1);
  EXPECT_EQ(queue.rows_before(*background), 3);
  for (const auto* left : {&request, &background}) (*left)->complete({});
}

TEST_P(RequestQueueBackgroundTest, ItHasHalfOfTheRoom) {
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "~2", "~3", "~4"});
  const Status refused = push(queue, "~5");
  EXPECT_EQ(refused.code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("half full"));
  push_all(queue, {"a", "b", "c", "d"});
  EXPECT_EQ(take_dropped(), Ids{});
}

TEST_P(RequestQueueBackgroundTest, OthersTakeItsRoom) {
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "~2", "a", "b", "c", "d", "e", "f"});
  EXPECT_EQ(take_dropped(), Ids{});
  push_all(queue, {"g"});
  EXPECT_EQ(take_dropped(), Ids{"~2"}) << "the youngest";
  push_all(queue, {"h"});
  EXPECT_EQ(take_dropped(), Ids{"~1"});
  EXPECT_EQ(push(queue, "i").code(), Code::kResourceExhausted) << "there is nothing to be dropped any more";
  EXPECT_EQ(push(queue, "~3").code(), Code::kResourceExhausted);
  EXPECT_EQ(queue.size(), 8);
  EXPECT_EQ(cut(queue, {.max_rows = 8}), (Ids{"a", "b", "c", "d", "e", "f", "g", "h"}));
}

TEST_P(RequestQueueBackgroundTest, OthersTakeItsBytes) {
  limits_.max_bytes = 16 * 4;
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "~2"});
  EXPECT_EQ(push(queue, "~3").code(), Code::kResourceExhausted);
  push_all(queue, {"a", "b", "c"});
  EXPECT_EQ(take_dropped(), Ids{"~2"});
  EXPECT_EQ(queue.bytes(), 16 * 4);
}

TEST_P(RequestQueueBackgroundTest, ALevelsOwnBoundIsItsToo) {
  limits_.policy.max_queue_size = 1;
  RequestQueue queue = this->queue();
  push_all(queue, {"~1", "a"});
  EXPECT_EQ(push(queue, "~2").code(), Code::kResourceExhausted);
  EXPECT_EQ(push(queue, "b").code(), Code::kUnavailable);
  EXPECT_EQ(take_dropped(), Ids{}) << "its going would not help";
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutLevels, RequestQueueBackgroundTest, ::testing::Values(0, 3));

}  // namespace
}  // namespace modelmill
