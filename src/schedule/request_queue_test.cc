#include "schedule/request_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "catalog/shape_class.h"
#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::make_request;
using testing::RecordingSink;

const RequestQueue::Limits kWide{1'000'000, int64_t{1} << 40, {}};
const BatchPolicy kUpTo4{.max_rows = 4};

class RequestQueueTest : public ::testing::Test {
 protected:
  InferRequestPtr request(const std::string& id, int64_t inner = 4, int64_t rows = 1) {
    auto r = make_request(sink_, id, rows, {inner});
    r->times.queued = time_.now();
    return r;
  }
  Status push(RequestQueue& queue, InferRequestPtr r) {
    const TimePoint now = r->times.queued;
    const Status status = queue.push(r, now, dropped_);
    if (!status.ok()) r->fail(status);
    return status;
  }
  /// The ids of the batch that is cut now; the requests are answered.
  std::vector<std::string> cut(RequestQueue& queue, const BatchPolicy& policy = kUpTo4) {
    std::vector<std::string> ids;
    last_ = queue.next(policy, time_.now(), {1}, dropped_);
    for (const auto& r : last_.batch) {
      ids.push_back(r->id);
      r->complete({});
    }
    return ids;
  }
  InferRequestPtr cancelled_request(const std::string& id) {
    auto r = request(id);
    r->cancel = std::make_shared<CancelToken>();
    r->cancel->cancel(CancelToken::Reason::kClientGone);
    return r;
  }
  std::map<std::string, Code> take_dropped() {
    std::map<std::string, Code> out;
    for (auto& [r, status] : dropped_) {
      out[r->id] = status.code();
      last_message_ = status.message();
      r->fail(std::move(status));
    }
    dropped_.clear();
    return out;
  }

  using Ids = std::vector<std::string>;
  ManualTime time_;
  std::shared_ptr<RecordingSink> sink_ = std::make_shared<RecordingSink>();
  std::vector<RequestQueue::Dropped> dropped_;
  RequestQueue::Next last_;
  std::string last_message_;
};

TEST_F(RequestQueueTest, FirstComeFirstServed) {
  RequestQueue queue("m", kWide, false);
  for (const char* id : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(push(queue, request(id)).ok());
  EXPECT_EQ(queue.size(), 5);
  EXPECT_EQ(queue.bytes(), 5 * 16);
  EXPECT_EQ(cut(queue), (Ids{"a", "b", "c", "d"}));
  EXPECT_EQ(last_.decision.reason, CutReason::kFull);
  EXPECT_EQ(cut(queue), (Ids{"e"}));
  EXPECT_EQ(last_.decision.reason, CutReason::kIdleInstance);
  EXPECT_EQ(cut(queue), Ids{});
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0);
  EXPECT_EQ(queue.rows(), 0);
}

TEST_F(RequestQueueTest, ABatchIsOfOneShape) {
  RequestQueue queue("m", kWide, true);
  for (const auto& [id, inner] : {std::pair{"a4", 4}, {"b8", 8}, {"c4", 4}, {"d2", 2}, {"e8", 8}})
    ASSERT_TRUE(push(queue, request(id, inner)).ok());
  EXPECT_EQ(cut(queue), (Ids{"a4", "c4"})) << "later ones of the first's class";
  EXPECT_EQ(cut(queue), (Ids{"b8", "e8"})) << "then the oldest that is left";
  EXPECT_EQ(cut(queue), (Ids{"d2"}));
}

TEST_F(RequestQueueTest, NoInstanceNoBatch) {
  RequestQueue queue("m", kWide, false);
  ASSERT_TRUE(push(queue, request("a")).ok());
  EXPECT_TRUE(queue.next(kUpTo4, time_.now(), {0}, dropped_).batch.empty());
  EXPECT_EQ(queue.drain().size(), 1u);
  EXPECT_TRUE(queue.empty());
}

TEST_F(RequestQueueTest, BoundsInRequestsAndBytes) {
  RequestQueue::Limits limits{3, 60, {}};
  RequestQueue queue("ocr", limits, false);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(push(queue, request("a")).ok());
  const Status many = push(queue, request("b"));
  EXPECT_EQ(many.code(), Code::kResourceExhausted);
  EXPECT_EQ(many.message(), "Exceeds maximum queue size: 3 requests wait for model 'ocr'; try again later");
  cut(queue);
  ASSERT_TRUE(push(queue, request("c", 14)).ok());  // 56 bytes
  const Status big = push(queue, request("d", 2));  // 8 more
  EXPECT_EQ(big.code(), Code::kResourceExhausted);
  EXPECT_NE(big.message().find("keeps at most 60 bytes"), std::string::npos) << big.message();
  EXPECT_TRUE(push(queue, request("e", 1)).ok()) << "exactly full";

  limits.policy.max_queue_size = 1;
  RequestQueue own("ocr", limits, false);
  ASSERT_TRUE(push(own, request("a")).ok());
  EXPECT_EQ(push(own, request("b")).code(), Code::kUnavailable);
}

TEST_F(RequestQueueTest, WhatNobodyWantsMakesRoom) {
  RequestQueue queue("m", {3, 1'000, {}}, false);
  auto late = request("late");
  late->deadline = time_.now() + 1us;
  ASSERT_TRUE(push(queue, request("a")).ok());
  ASSERT_TRUE(push(queue, std::move(late)).ok());
  ASSERT_TRUE(push(queue, cancelled_request("gone")).ok());
  time_.advance(1us);
  EXPECT_TRUE(push(queue, request("b")).ok());
  EXPECT_EQ(take_dropped(),
            (std::map<std::string, Code>{{"gone", Code::kCancelled}, {"late", Code::kDeadlineExceeded}}));
  EXPECT_EQ(queue.size(), 2);
  EXPECT_EQ(queue.bytes(), 2 * 16);
  EXPECT_TRUE(push(queue, request("c")).ok());
  EXPECT_EQ(push(queue, request("d")).code(), Code::kResourceExhausted) << "all that wait are wanted";
  EXPECT_EQ(cut(queue), (Ids{"a", "b", "c"}));
}

TEST_F(RequestQueueTest, ALongQueueIsNotLookedThroughForEachCancellation) {
  const int64_t n = 3 * RequestQueue::kSweptForEach;
  RequestQueue queue("m", kWide, false);
  for (int64_t i = 0; i < n; ++i) ASSERT_TRUE(push(queue, request("a")).ok());
  queue.drop_unwanted(time_.now(), dropped_);  // spends what the pushes have paid
  ASSERT_TRUE(push(queue, cancelled_request("gone")).ok());
  queue.drop_unwanted(time_.now(), dropped_);
  queue.drop_unwanted(time_.now(), dropped_);
  EXPECT_TRUE(dropped_.empty());
  queue.drop_unwanted(time_.now(), dropped_);
  EXPECT_EQ(take_dropped(), (std::map<std::string, Code>{{"gone", Code::kCancelled}}));
  EXPECT_EQ(queue.size(), n);
  for (const auto& r : queue.drain()) r->complete({});
}

TEST_F(RequestQueueTest, CancelledAndLateRequestsAreDroppedOnTheWay) {
  RequestQueue queue("m", kWide, false);
  auto gone = request("gone"), late = request("late"), told = request("told late");
  gone->cancel = std::make_shared<CancelToken>();
  gone->cancel->cancel(CancelToken::Reason::kClientGone);
  late->deadline = time_.now() + 10us;
  told->cancel = std::make_shared<CancelToken>();
  told->cancel->cancel(CancelToken::Reason::kDeadline);
  for (auto* r : {&gone, &late, &told}) ASSERT_TRUE(push(queue, std::move(*r)).ok());
  ASSERT_TRUE(push(queue, request("good")).ok());
  time_.advance(10us);
  EXPECT_EQ(cut(queue), (Ids{"good"}));
  const std::map<std::string, Code> expected{
      {"gone", Code::kCancelled}, {"late", Code::kDeadlineExceeded}, {"told late", Code::kDeadlineExceeded}};
  EXPECT_EQ(take_dropped(), expected);
}

TEST_F(RequestQueueTest, WhenAllAreDroppedNothingIsCut) {
  RequestQueue queue("m", kWide, true);
  for (int i = 0; i < 40; ++i) {
    auto r = request(std::to_string(i), 1 + i);  // forty classes
    r->deadline = time_.now();
    ASSERT_TRUE(push(queue, std::move(r)).ok());
  }
  EXPECT_EQ(cut(queue), Ids{});
  EXPECT_EQ(take_dropped().size(), 40u);
  EXPECT_TRUE(queue.empty());
}

TEST_F(RequestQueueTest, TimeoutsReject) {
  RequestQueue::Limits limits = kWide;
  limits.policy.default_timeout = 100us;
  limits.policy.allow_timeout_override = true;
  RequestQueue queue("m", limits, false);
  auto hasty = request("hasty"), longer = request("longer");
  hasty->timeout = 10us;
  longer->timeout = 500us;  // may only shorten
  ASSERT_TRUE(push(queue, std::move(hasty)).ok());
  ASSERT_TRUE(push(queue, std::move(longer)).ok());
  EXPECT_EQ(queue.next_expiry(), time_.now() + 10us);
  time_.advance(10us);
  queue.expire(time_.now(), dropped_);
  EXPECT_EQ(take_dropped(), (std::map<std::string, Code>{{"hasty", Code::kUnavailable}}));
  EXPECT_EQ(last_message_.find("Request timeout expired"), 0u);
  EXPECT_EQ(queue.next_expiry(), time_.now() + 90us);
  time_.advance(90us);
  EXPECT_EQ(cut(queue), Ids{}) << "also found when a batch is cut";
  EXPECT_EQ(take_dropped().size(), 1u);
  EXPECT_EQ(queue.next_expiry(), kNever);
}

TEST_F(RequestQueueTest, AnOverrideWorksWithoutADefault) {
  RequestQueue::Limits limits = kWide;
  limits.policy.allow_timeout_override = true;
  RequestQueue queue("m", limits, false);
  auto r = request("a");
  r->timeout = 10us;
  ASSERT_TRUE(push(queue, std::move(r)).ok());
  ASSERT_TRUE(push(queue, request("b")).ok());
  EXPECT_EQ(queue.next_expiry(), time_.now() + 10us);
  time_.advance(1s);
  EXPECT_EQ(cut(queue), (Ids{"b"}));
  EXPECT_EQ(take_dropped().size(), 1u);
}

TEST_F(RequestQueueTest, TimeoutsDelay) {
  RequestQueue::Limits limits = kWide;
  limits.policy.default_timeout = 100us;
  limits.policy.timeout_action = QueuePolicy::TimeoutAction::kDelay;
  limits.policy.max_queue_size = 5;
  RequestQueue queue("m", limits, false);
  ASSERT_TRUE(push(queue, request("old1")).ok());
  ASSERT_TRUE(push(queue, request("old2")).ok());
  time_.advance(100us);
  ASSERT_TRUE(push(queue, request("new1")).ok());
  ASSERT_TRUE(push(queue, request("new2")).ok());
  ASSERT_TRUE(push(queue, request("new3")).ok());
  EXPECT_FALSE(push(queue, request("new4")).ok()) << "the delayed still count";
  EXPECT_EQ(cut(queue, {.max_rows = 2}), (Ids{"new1", "new2"}));
  EXPECT_EQ(cut(queue, {.max_rows = 2}), (Ids{"new3", "old1"}));
  EXPECT_EQ(cut(queue, {.max_rows = 2}), (Ids{"old2"}));
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(RequestQueueTest, TheDelayedAreReachedBehindManyClasses) {
  RequestQueue::Limits limits = kWide;
  limits.policy.default_timeout = 100us;
  limits.policy.timeout_action = QueuePolicy::TimeoutAction::kDelay;
  RequestQueue queue("m", limits, true);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(push(queue, request(std::to_string(i), 1 + i)).ok());
  time_.advance(100us);
  EXPECT_EQ(cut(queue), (Ids{"0"}));
}

TEST_F(RequestQueueTest, ADroppedHeadGivesTheNextClassItsTurn) {
  RequestQueue queue("m", kWide, true);
  auto a1 = request("a1", 1);
  a1->deadline = time_.now();
  ASSERT_TRUE(push(queue, std::move(a1)).ok());
  ASSERT_TRUE(push(queue, request("b1", 2)).ok());
  ASSERT_TRUE(push(queue, request("a2", 1)).ok());
  EXPECT_EQ(cut(queue), (Ids{"b1"}));
  EXPECT_EQ(cut(queue), (Ids{"a2"}));
  take_dropped();
}

TEST_F(RequestQueueTest, WithADelayAFullClassPassesOneThatWaits) {
  RequestQueue queue("m", kWide, true);
  const BatchPolicy policy{.max_rows = 2, .max_delay = 100us};
  ASSERT_TRUE(push(queue, request("a", 1)).ok());
  time_.advance(10us);
  ASSERT_TRUE(push(queue, request("b1", 2)).ok());
  EXPECT_EQ(queue.rows_of_last_class(), 1);
  EXPECT_EQ(cut(queue, policy), Ids{});
  EXPECT_EQ(last_.decision.until, time_.now() + 90us) << "the oldest's";
  ASSERT_TRUE(push(queue, request("b2", 2)).ok());
  EXPECT_EQ(queue.rows_of_last_class(), 2);
  EXPECT_EQ(cut(queue, policy), (Ids{"b1", "b2"}));
  time_.advance(90us);
  EXPECT_EQ(cut(queue, policy), (Ids{"a"}));
  EXPECT_EQ(last_.decision.reason, CutReason::kDelayOver);
}

/// Against a list that is searched from the front: what the queue must do, in the simplest way.
class Reference {
 public:
  struct Item {
    std::string id;
    int64_t inner, rows;
  };
  std::vector<std::string> cut(int64_t max_rows) {
    std::vector<std::string> ids;
    if (items_.empty()) return ids;
    const int64_t inner = items_.front().inner;
    int64_t rows = 0;
    for (auto it = items_.begin(); it != items_.end();) {
      if (it->inner != inner) {
        ++it;
        continue;
      }
      if (!ids.empty() && rows + it->rows > max_rows) break;
      rows += it->rows;
      ids.push_back(it->id);
      it = items_.erase(it);
    }
    return ids;
  }
  void push(Item item) { items_.push_back(std::move(item)); }

 private:
  std::vector<Item> items_;
};

TEST_F(RequestQueueTest, RandomScheduleAgainstAReference) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 50; ++round) {
    RequestQueue queue("m", kWide, true);
    Reference reference;
    const BatchPolicy policy{.max_rows = pick(1, 8)};
    for (int step = 0; step < 300; ++step) {
      if (pick(0, 2) > 0) {
        const Reference::Item item{std::to_string(step), pick(1, 4), pick(1, 3)};
        ASSERT_TRUE(push(queue, request(item.id, item.inner, item.rows)).ok());
        reference.push(item);
      } else {
        // A cut with max_rows reached stops the reference by overflow or by fullness alike.
        ASSERT_EQ(cut(queue, policy), reference.cut(policy.max_rows));
      }
    }
    for (auto& r : queue.drain()) r->complete({});
  }
}

}  // namespace
}  // namespace modelmill
