#include <gtest/gtest.h>

#include <map>
#include <random>

#include "schedule/request_queue.h"
#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::make_request;
using testing::RecordingSink;
using Ids = std::vector<std::string>;

/// A queue of three levels, of which the second is the default.
class RequestQueueLevelsTest : public ::testing::Test {
 protected:
  RequestQueueLevelsTest() {
    limits_.max_requests = 1'000;
    limits_.max_bytes = 1 << 20;
    limits_.levels = 3;
    limits_.default_level = 2;
  }
  RequestQueue queue(bool by_shape = false) { return RequestQueue("m", limits_, by_shape); }
  Status push(RequestQueue& queue, const std::string& id, uint64_t priority, int64_t inner = 4,
              std::chrono::microseconds timeout = {}) {
    auto request = make_request(sink_, id, 1, {inner});
    request->priority = priority;
    request->timeout = timeout;
    request->times.queued = time_.now();
    const Status status = queue.push(request, time_.now(), dropped_);
    if (!status.ok()) request->fail(status);
    return status;
  }
  void push_all(RequestQueue& queue, const std::vector<std::pair<std::string, uint64_t>>& requests) {
    for (const auto& [id, priority] : requests) ASSERT_TRUE(push(queue, id, priority).ok());
  }
  Ids cut(RequestQueue& queue, const BatchPolicy& policy) {
    Ids ids;
    last_ = queue.next(policy, time_.now(), {1}, dropped_);
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

TEST_F(RequestQueueLevelsTest, TheHighestIsServedFirst) {
  RequestQueue queue = this->queue();
  push_all(queue, {{"c1", 3}, {"b1", 2}, {"a1", 1}, {"b2", 2}, {"a2", 1}});
  for (const char* id : {"a1", "a2", "b1", "b2", "c1"}) EXPECT_EQ(cut(queue, {.max_rows = 1}), Ids{id});
  EXPECT_TRUE(queue.empty());
}

TEST_F(RequestQueueLevelsTest, OthersAreOfTheDefaultLevel) {
  RequestQueue queue = this->queue();
  push_all(queue, {{"c", 3}, {"unnamed", 0}, {"none such", 4}, {"b", 2}, {"a", 1}});
  EXPECT_EQ(cut(queue, {.max_rows = 8}), (Ids{"a", "unnamed", "none such", "b", "c"}));
}

TEST_F(RequestQueueLevelsTest, ABatchIsFilledFromLowerLevels) {
  RequestQueue queue = this->queue(true);
  ASSERT_TRUE(push(queue, "c8", 3, 8).ok());
  ASSERT_TRUE(push(queue, "c4", 3, 4).ok());
  ASSERT_TRUE(push(queue, "a4", 1, 4).ok());
  ASSERT_TRUE(push(queue, "b4", 2, 4).ok());
  EXPECT_EQ(cut(queue, {.max_rows = 2}), (Ids{"a4", "b4"}));
  EXPECT_EQ(cut(queue, {.max_rows = 2}), Ids{"c8"}) << "shapes never meet";
  EXPECT_EQ(cut(queue, {.max_rows = 2}), Ids{"c4"});
}

TEST_F(RequestQueueLevelsTest, AWaitEndsByAllLevels) {
  RequestQueue queue = this->queue();
  const BatchPolicy policy{.max_rows = 3, .max_delay = 100us};
  ASSERT_TRUE(push(queue, "c", 3).ok());
  time_.advance(60us);
  ASSERT_TRUE(push(queue, "a", 1).ok());
  EXPECT_EQ(queue.rows_of_last_class(), 2) << "of all levels";
  EXPECT_EQ(cut(queue, policy), Ids{});
  EXPECT_EQ(last_.decision.until, time_.now() + 40us) << "when the oldest of all levels has waited for the delay";
  time_.advance(40us);
  EXPECT_EQ(cut(queue, policy), (Ids{"a", "c"}));
}

TEST_F(RequestQueueLevelsTest, WhatWaitsAboveIsNotPassedByItsOwnClass) {
  RequestQueue queue = this->queue(true);
  const BatchPolicy policy{.max_rows = 4, .preferred = {2}, .max_delay = 100us};
  for (const auto& [id, priority, rows] : {std::tuple{"a", 1, 3}, std::tuple{"c", 3, 2}}) {
    auto request = make_request(sink_, id, rows);
    request->priority = static_cast<uint64_t>(priority);
    request->times.queued = time_.now();
    ASSERT_TRUE(queue.push(request, time_.now(), dropped_).ok());
  }
  EXPECT_EQ(cut(queue, policy), Ids{"a"}) << "a preferred size below does not come first";
  EXPECT_EQ(cut(queue, policy), Ids{"c"});
}

TEST_F(RequestQueueLevelsTest, EachLevelHasItsBound) {
  limits_.policy.max_queue_size = 2;
  limits_.by_level[3].max_queue_size = 1;
  RequestQueue queue = this->queue();
  push_all(queue, {{"c", 3}, {"b1", 2}, {"b2", 2}});
  const Status full = push(queue, "c", 3);
  EXPECT_EQ(full.code(), Code::kUnavailable);
  EXPECT_EQ(full.message(),
            "Exceeds maximum queue size: 1 requests of the same priority wait for model 'm'; try again later");
  EXPECT_EQ(push(queue, "b3", 2).code(), Code::kUnavailable);
  EXPECT_TRUE(push(queue, "a", 1).ok());
  EXPECT_EQ(queue.size(), 4);
  limits_.max_requests = 1;
  RequestQueue bounded = this->queue();
  ASSERT_TRUE(push(bounded, "c", 3).ok());
  EXPECT_EQ(push(bounded, "a", 1).code(), Code::kResourceExhausted) << "the server's bound is for all levels together";
}

TEST_F(RequestQueueLevelsTest, EachLevelHasItsTimeouts) {
  limits_.by_level[1] = {.default_timeout = 10us};
  limits_.by_level[2] = {.timeout_action = QueuePolicy::TimeoutAction::kDelay, .default_timeout = 20us};
  limits_.by_level[3] = {.allow_timeout_override = true};
  EXPECT_TRUE(limits_.has_timeouts());
  RequestQueue queue = this->queue();
  push_all(queue, {{"a", 1}, {"b1", 2}, {"c1", 3}});
  ASSERT_TRUE(push(queue, "c2", 3, 4, 30us).ok());
  time_.advance(20us);
  ASSERT_TRUE(push(queue, "b2", 2).ok());
  queue.expire(time_.now(), dropped_);
  EXPECT_EQ(take_dropped(), Ids{"a"});
  time_.advance(10us);
  EXPECT_EQ(cut(queue, {.max_rows = 2}), (Ids{"b2", "b1"})) << "the delayed come after the rest of their own level";
  EXPECT_EQ(cut(queue, {.max_rows = 2}), Ids{"c1"});
  EXPECT_EQ(take_dropped(), Ids{"c2"});
}

TEST_F(RequestQueueLevelsTest, RowsBeforeARequest) {
  RequestQueue queue = this->queue();
  push_all(queue, {{"c", 3}, {"b1", 2}, {"b2", 2}, {"a", 1}});
  for (const auto& [priority, rows] : {std::pair{1, 1}, {2, 3}, {0, 3}, {3, 4}}) {
    auto request = make_request(sink_);
    request->priority = static_cast<uint64_t>(priority);
    EXPECT_EQ(queue.rows_before(*request), rows) << priority;
    request->complete({});
  }
}

TEST_F(RequestQueueLevelsTest, ManyLevelsAgainstAReference) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](uint64_t most) { return std::uniform_int_distribution<uint64_t>(1, most)(random); };
  limits_.levels = uint64_t{1} << 63;
  RequestQueue queue = this->queue();
  std::multimap<uint64_t, std::string> reference;  // equal keys keep their order
  for (int step = 0; step < 20'000; ++step) {
    if (reference.size() < 300 && pick(2) == 1) {
      const uint64_t priority = pick(2) == 1 ? pick(5) : pick(limits_.levels);
      ASSERT_TRUE(push(queue, std::to_string(step), priority).ok());
      reference.emplace(priority, std::to_string(step));
    } else if (!reference.empty()) {
      Ids expected;
      const uint64_t most = pick(8);
      while (!reference.empty() && expected.size() < most) {
        expected.push_back(reference.begin()->second);
        reference.erase(reference.begin());
      }
      ASSERT_EQ(cut(queue, {.max_rows = static_cast<int64_t>(most)}), expected);
    }
  }
  for (auto& request : queue.drain()) request->complete({});
}

}  // namespace
}  // namespace modelmill
