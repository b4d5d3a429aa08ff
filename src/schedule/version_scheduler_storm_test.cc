#include <gtest/gtest.h>

#include <barrier>
#include <random>
#include <thread>

#include "catalog/shape_class.h"
#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using testing::describe;
using testing::FakeModel;
using testing::Instances;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::Stage;
using testing::StagedInstance;
using testing::SyncInstance;

struct StormPlan {
  const char* name;
  VersionPlan plan;
  int instances;
  bool staged;  // completed by another thread
  bool turns;   // submitted from threads that have turns
};

class StormTest : public ::testing::TestWithParam<int> {};

VersionPlan inline_safe(VersionPlan plan) {
  plan.inline_safe = true;
  return plan;
}

StormPlan storm(int i) {
  VersionPlan ordered = batched(4);
  ordered.batching.preserve_ordering = true;
  VersionPlan delayed = batched(8);
  delayed.batching.max_queue_delay = 20us;
  delayed.batching.preferred_sizes = {4};
  VersionPlan bounded = batched(2);
  bounded.max_queue_requests = 8;
  VersionPlan timed = batched(4);
  timed.batching.queue.default_timeout = 200us;
  VersionPlan concurrent = inline_safe(batched(4));
  concurrent.concurrent_execute = true;
  concurrent.concurrency = 3;
  const StormPlan plans[] = {
      {"sync", batched(4), 2, false, false},
      {"async", batched(4), 2, true, false},
      {"ordered", ordered, 3, false, false},
      {"delayed", delayed, 2, false, false},
      {"bounded", bounded, 1, false, false},
      {"timed", timed, 1, true, false},
      {"on loops", inline_safe(batched(4)), 2, false, true},
      {"on loops, unbatched", inline_safe(batched(1)), 1, false, true},
      {"concurrent on loops", concurrent, 1, false, true},
  };
  return plans[i];
}
constexpr int kStorms = 9;

/// Eight threads submit and cancel at random; whatever happens, every request is answered exactly once, no batch mixes
/// shapes or exceeds its rows, and nothing is left behind.
TEST_P(StormTest, EveryRequestIsAnsweredExactlyOnce) {
  const StormPlan storm = modelmill::storm(GetParam());
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(std::string(storm.name) + ", seed " + std::to_string(seed));
  constexpr int kThreads = 8, kEach = 300;

  MetricRegistry metrics;
  const auto stats = std::make_shared<VersionStats>(metrics, "m", 1);
  std::atomic<int> bad_batches{0};
  std::atomic<int> running{0};
  const int lanes = storm.instances * std::max(1, storm.plan.concurrency);
  const auto check = [&](const std::vector<InferRequestPtr>& requests) {
    int64_t rows = 0;
    for (const auto& r : requests) {
      rows += r->batch_rows;
      if (!same_shape_class(*requests.front(), *r)) ++bad_batches;
    }
    if (rows > storm.plan.max_batch_rows && requests.size() > 1) ++bad_batches;
  };
  Stage stage;
  Instances instances;
  for (int i = 0; i < storm.instances; ++i) {
    if (storm.staged) {
      instances.push_back(std::make_unique<StagedInstance>(stage));
    } else {
      instances.push_back(std::make_unique<SyncInstance>([&](std::vector<InferRequestPtr>& requests) {
        if (running.fetch_add(1) >= lanes) ++bad_batches;
        check(requests);
        running.fetch_sub(1);
      }));
    }
  }
  auto version = std::make_unique<VersionScheduler>(describe(-1), stats, storm.plan, std::make_unique<FakeModel>(),
                                                    std::move(instances), TimeSource::steady());
  std::thread finisher;
  if (storm.staged)
    finisher = std::thread([&] {
      while (true) {
        PendingBatch batch = stage.take();
        if (!batch.done) return;  // the sign to stop
        check(batch.requests);
        batch.finish();
      }
    });

  std::vector<std::vector<std::shared_ptr<RecordingSink>>> sinks(kThreads);
  std::vector<std::shared_ptr<CancelToken>> tokens;
  for (int i = 0; i < 64; ++i) tokens.push_back(std::make_shared<CancelToken>());
  std::barrier begin(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + static_cast<unsigned>(t));
      const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
      Turn turn;
      if (storm.turns) Turn::set_current(&turn);
      begin.arrive_and_wait();
      for (int i = 0; i < kEach;) {
        turn.begin(1ms);
        for (int n = pick(1, 6); n > 0 && i < kEach; --n, ++i) {
          auto sink = std::make_shared<RecordingSink>();
          auto request = make_request(sink, std::to_string(i), pick(1, 3), {pick(1, 3)});
          if (pick(0, 9) == 0) request->cancel = tokens[static_cast<size_t>(pick(0, 63))];
          if (pick(0, 9) == 0) request->deadline = Clock::now() + std::chrono::microseconds(pick(0, 500));
          sinks[static_cast<size_t>(t)].push_back(std::move(sink));
          VersionPin pin(*version);
          std::move(pin).hand_to(*request);
          version->submit(std::move(request));
        }
        if (pick(0, 20) == 0) tokens[static_cast<size_t>(pick(0, 63))]->cancel(CancelToken::Reason::kClientGone);
        turn.end();
      }
      Turn::set_current(nullptr);
    });
  }
  for (auto& thread : threads) thread.join();
  version->gate().close();
  version->gate().wait_empty();
  version.reset();
  if (finisher.joinable()) {
    stage.put({});
    finisher.join();
  }

  EXPECT_EQ(bad_batches, 0);
  uint64_t answered = 0;
  for (const auto& list : sinks)
    for (const auto& sink : list) {
      ASSERT_EQ(sink->finals(), 1);
      ASSERT_EQ(sink->after_final(), 0);
      ++answered;
    }
  EXPECT_EQ(answered, static_cast<uint64_t>(kThreads * kEach));
  const auto view = stats->view();
  EXPECT_EQ(view.success.count + view.fail.count, answered);
  EXPECT_EQ(view.pending, 0u);
}

INSTANTIATE_TEST_SUITE_P(Plans, StormTest, ::testing::Range(0, kStorms));

}  // namespace
}  // namespace modelmill
