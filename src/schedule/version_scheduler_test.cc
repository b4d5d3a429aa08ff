#include "schedule/version_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "schedule/testing/fakes.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::describe;
using ::testing::ElementsAre;
using testing::FakeModel;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::Stage;
using testing::StagedInstance;
using testing::SyncInstance;

using Instances = std::vector<std::unique_ptr<BackendInstance>>;

VersionPlan batched(int64_t max_rows, bool has_batch_dimension = true) {
  VersionPlan plan;
  plan.max_batch_rows = max_rows;
  plan.has_batch_dimension = has_batch_dimension;
  return plan;
}

/// A version on instances that the test finishes batch by batch.
class VersionSchedulerTest : public ::testing::Test {
 protected:
  void start(const VersionPlan& plan, int instances = 1, ModelVersion::Description description = describe()) {
    Instances made;
    for (int i = 0; i < instances; ++i) made.push_back(std::make_unique<StagedInstance>(stage_));
    start(plan, std::move(made), std::move(description));
  }
  void start(const VersionPlan& plan, Instances instances, ModelVersion::Description description = describe()) {
    stats_ = std::make_shared<VersionStats>(metrics_, "m", 1);
    version_ = std::make_unique<VersionScheduler>(std::move(description), stats_, plan, std::make_unique<FakeModel>(),
                                                  std::move(instances), time_);
  }
  std::shared_ptr<RecordingSink> submit(const std::string& id, int64_t rows = 1) {
    auto sink = std::make_shared<RecordingSink>();
    submit(make_request(sink, id, rows));
    return sink;
  }
  void submit(InferRequestPtr request) {
    VersionPin pin(*version_);
    ASSERT_TRUE(pin);
    std::move(pin).hand_to(*request);
    version_->submit(std::move(request));
  }
  void unload() {
    version_->gate().close();
    version_->gate().wait_empty();
    version_.reset();
  }
  uint64_t cuts(const char* reason) {
    const std::string text = metrics_.render();
    const std::string line =
        "modelmill_batch_cut_total{model=\"m\",version=\"1\",reason=\"" + std::string(reason) + "\"} ";
    const size_t at = text.find(line);
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + line.size()));
  }

  ManualTime time_;
  MetricRegistry metrics_;
  std::shared_ptr<VersionStats> stats_;
  Stage stage_;
  std::unique_ptr<VersionScheduler> version_;
};

TEST_F(VersionSchedulerTest, OneRequest) {
  start(batched(8));
  auto sink = submit("a");
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("a"));
  EXPECT_EQ(version_->gate().inside_approx(), 1u) << "the request pins its version";
  EXPECT_FALSE(sink->finished());
  time_.advance(5ms);
  batch.finish();
  EXPECT_TRUE(sink->wait().ok());
  const auto view = stats_->view();
  EXPECT_EQ(view.success.count, 1u);
  EXPECT_EQ(view.success.ns, 5'000'000u);
  EXPECT_EQ(view.compute_infer.ns, 5'000'000u);
  EXPECT_EQ(view.inference_count, 1u);
  EXPECT_EQ(view.execution_count, 1u);
  EXPECT_EQ(view.pending, 0u);
  EXPECT_EQ(cuts("idle instance"), 1u);
}

TEST_F(VersionSchedulerTest, BatchesFormWhileTheInstanceIsBusy) {
  start(batched(3));
  auto first = submit("a");
  PendingBatch running = stage_.take();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (const char* id : {"b", "c", "d", "e"}) sinks.push_back(submit(id));
  EXPECT_EQ(stage_.size(), 0u) << "one instance runs one batch";
  EXPECT_EQ(stats_->view().pending, 4u);
  running.finish();
  PendingBatch full = stage_.take();
  EXPECT_THAT(full.ids(), ElementsAre("b", "c", "d"));
  full.finish();
  PendingBatch rest = stage_.take();
  EXPECT_THAT(rest.ids(), ElementsAre("e"));
  rest.finish();
  for (auto& sink : sinks) EXPECT_TRUE(sink->wait().ok());
  EXPECT_EQ(cuts("full"), 1u);
  unload();
  const auto view = stats_->view();
  EXPECT_EQ(view.execution_count, 3u);
  EXPECT_EQ(view.batches.at(3).infer.count, 1u);
  EXPECT_EQ(view.batches.at(1).infer.count, 2u);
}

TEST_F(VersionSchedulerTest, EveryIdleInstanceWorks) {
  start(batched(1), 3);
  for (const char* id : {"a", "b", "c", "d"}) submit(id);
  std::vector<PendingBatch> running;
  for (int i = 0; i < 3; ++i) running.push_back(stage_.take());
  EXPECT_EQ(stage_.size(), 0u);
  running[1].finish();
  stage_.take().finish();
  running[0].finish();
  running[2].finish();
}

TEST_F(VersionSchedulerTest, OneConcurrentInstanceRunsSeveral) {
  VersionPlan plan = batched(1);
  plan.concurrent_execute = true;
  plan.concurrency = 2;
  start(plan);
  for (const char* id : {"a", "b", "c"}) submit(id);
  PendingBatch one = stage_.take(), two = stage_.take();
  EXPECT_EQ(stage_.size(), 0u);
  one.finish();
  stage_.take().finish();
  two.finish();
}

TEST_F(VersionSchedulerTest, FailuresAreCountedByReason) {
  VersionPlan plan = batched(8);
  plan.batching.queue.max_queue_size = 1;
  start(plan);
  auto failing = submit("a");
  PendingBatch running = stage_.take();
  auto waiting = submit("b");
  auto refused = submit("c");
  EXPECT_EQ(refused->wait().code(), Code::kUnavailable);
  auto request = make_request(refused = std::make_shared<RecordingSink>(), "d");
  request->cancel = std::make_shared<CancelToken>();
  request->cancel->cancel(CancelToken::Reason::kClientGone);
  submit(std::move(request));
  EXPECT_EQ(refused->wait().code(), Code::kCancelled);
  running.finish(internal("broken"));
  EXPECT_EQ(failing->wait().message(), "broken");
  stage_.take().finish();
  EXPECT_TRUE(waiting->wait().ok());
  unload();
  const std::string text = metrics_.render();
  const auto count = [&](const char* reason) {
    return "nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"" + std::string(reason) + "\"} 1\n";
  };
  EXPECT_THAT(text, ::testing::HasSubstr(count("REJECTED")));
  EXPECT_THAT(text, ::testing::HasSubstr(count("CANCELED")));
  EXPECT_THAT(text, ::testing::HasSubstr(count("BACKEND")));
  EXPECT_EQ(stats_->view().fail.count, 3u);
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(VersionSchedulerTest, CancelledWhileQueuedNeverRuns) {
  start(batched(1));
  submit("a");
  PendingBatch running = stage_.take();
  auto sink = std::make_shared<RecordingSink>();
  auto request = make_request(sink, "b");
  const auto cancel = std::make_shared<CancelToken>();
  request->cancel = cancel;
  submit(std::move(request));
  auto late_sink = std::make_shared<RecordingSink>();
  auto late = make_request(late_sink, "c");
  late->deadline = time_.now() + 1ms;
  submit(std::move(late));
  submit("d");
  cancel->cancel(CancelToken::Reason::kClientGone);
  time_.advance(1ms);
  running.finish();
  PendingBatch next = stage_.take();
  EXPECT_THAT(next.ids(), ElementsAre("d"));
  EXPECT_EQ(sink->wait().code(), Code::kCancelled);
  EXPECT_EQ(late_sink->wait().code(), Code::kDeadlineExceeded);
  next.finish();
}

TEST_F(VersionSchedulerTest, ALongerRequestThatCannotBeSplitRunsAlone) {
  start(batched(4, /*has_batch_dimension=*/false));
  submit("a", 5);
  PendingBatch running = stage_.take();
  EXPECT_THAT(running.ids(), ElementsAre("a"));
  submit("b", 1);
  submit("c", 7);
  submit("d", 1);
  running.finish();
  PendingBatch next = stage_.take();
  EXPECT_THAT(next.ids(), ElementsAre("b"));
  next.finish();
  PendingBatch last = stage_.take();
  EXPECT_THAT(last.ids(), ElementsAre("c"));
  last.finish();
  PendingBatch rest = stage_.take();
  EXPECT_THAT(rest.ids(), ElementsAre("d"));
  rest.finish();
}

TEST_F(VersionSchedulerTest, ADelayEndsWhenTheBatchIsFull) {
  VersionPlan plan = batched(3);
  plan.batching.max_queue_delay = 1h;
  start(plan);
  submit("a");
  submit("b");
  submit("c");
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("a", "b", "c"));
  batch.finish();
  EXPECT_EQ(cuts("full"), 1u);
}

TEST_F(VersionSchedulerTest, ADelayEndsWhenItIsOver) {
  VersionPlan plan = batched(30);
  plan.batching.max_queue_delay = 1h;
  start(plan, 2);
  submit("a");
  auto request = make_request(std::make_shared<RecordingSink>(), "b");
  request->deadline = time_.now() + 24h;
  time_.advance(1h);
  submit(std::move(request));  // its deadline makes them look, as the passing of time would
  PendingBatch batch = stage_.take();
  EXPECT_EQ(batch.ids().front(), "a");  // with "b" or, when they looked between the two, without
  batch.finish();
  EXPECT_EQ(cuts("delay over"), 1u);
}

TEST_F(VersionSchedulerTest, ADelayEndsForADeadline) {
  VersionPlan plan = batched(30);
  plan.batching.max_queue_delay = 1h;
  start(plan);
  submit("a");
  auto request = make_request(std::make_shared<RecordingSink>(), "b");
  request->deadline = time_.now() + 1s;
  submit(std::move(request));
  PendingBatch batch = stage_.take();
  EXPECT_THAT(batch.ids(), ElementsAre("a", "b"));
  batch.finish();
  EXPECT_EQ(cuts("deadline"), 1u);
}

TEST_F(VersionSchedulerTest, ADelayEndsByItself) {
  VersionPlan plan = batched(30);
  plan.batching.max_queue_delay = 1ms;
  stats_ = std::make_shared<VersionStats>(metrics_, "m", 1);
  Instances instances;
  instances.push_back(std::make_unique<SyncInstance>());
  version_ = std::make_unique<VersionScheduler>(describe(), stats_, plan, std::make_unique<FakeModel>(),
                                                std::move(instances), TimeSource::steady());
  EXPECT_TRUE(submit("a")->wait().ok());
  unload();
  EXPECT_EQ(cuts("delay over"), 1u);
}

TEST_F(VersionSchedulerTest, TimeInTheQueueEndsThoughAllInstancesAreBusy) {
  VersionPlan plan = batched(1);
  plan.batching.queue.allow_timeout_override = true;
  Instances instances;
  instances.push_back(std::make_unique<StagedInstance>(stage_));
  version_ =
      std::make_unique<VersionScheduler>(describe(), std::make_shared<VersionStats>(metrics_, "m", 1), plan,
                                         std::make_unique<FakeModel>(), std::move(instances), TimeSource::steady());
  submit("a");
  PendingBatch running = stage_.take();
  auto sink = std::make_shared<RecordingSink>();
  auto request = make_request(sink, "b");
  request->timeout = 1ms;
  submit(std::move(request));
  const Status status = sink->wait();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message().find("Request timeout expired"), 0u);
  running.finish();
}

TEST_F(VersionSchedulerTest, OrderIsKeptWhenAsked) {
  VersionPlan plan = batched(1);
  plan.batching.preserve_ordering = true;
  start(plan, 2);
  auto a = submit("a");
  PendingBatch first = stage_.take();
  auto b = submit("b");
  PendingBatch second = stage_.take();
  second.finish();
  EXPECT_FALSE(b->finished());
  first.finish();
  EXPECT_TRUE(a->wait().ok());
  EXPECT_TRUE(b->wait().ok());
}

TEST_F(VersionSchedulerTest, UnloadingAnswersWhatIsQueued) {
  VersionPlan plan = batched(8);
  plan.batching.max_queue_delay = 1h;
  start(plan);
  auto sink = std::make_shared<RecordingSink>();
  version_->submit(make_request(sink, "a"));  // without a pin, as only a test does
  version_.reset();
  EXPECT_EQ(sink->wait(), unavailable("model 'm' version 1 is being unloaded"));
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(VersionSchedulerTest, UnloadingWaitsForWhatRuns) {
  start(batched(1), 2);
  auto sink = std::make_shared<RecordingSink>();
  version_->submit(make_request(sink, "a"));
  PendingBatch running = stage_.take();
  std::thread unloading([this] {
    version_.reset();
    stage_.put({});
  });
  running.finish();
  EXPECT_EQ(stage_.take().done, nullptr);
  unloading.join();
  EXPECT_TRUE(sink->wait().ok());
}

TEST_F(VersionSchedulerTest, ARequestThatTheBackendDropsIsAnswered) {
  Instances instances;
  instances.push_back(std::make_unique<SyncInstance>([](auto& requests) { requests.clear(); }));
  start(batched(8), std::move(instances));
  EXPECT_EQ(submit("a")->wait().code(), Code::kInternal);
  unload();
  EXPECT_EQ(stats_->view().fail.count, 1u);
}

TEST_F(VersionSchedulerTest, UnequalShapesDoNotMeet) {
  auto description = describe(-1);
  start(batched(8), 1, std::move(description));
  submit("a");
  PendingBatch running = stage_.take();
  for (const auto& [id, inner] : {std::pair{"b4", 4}, {"c8", 8}, {"d4", 4}})
    submit(make_request(std::make_shared<RecordingSink>(), id, 1, {inner}));
  running.finish();
  PendingBatch fours = stage_.take();
  EXPECT_THAT(fours.ids(), ElementsAre("b4", "d4"));
  fours.finish();
  PendingBatch eights = stage_.take();
  EXPECT_THAT(eights.ids(), ElementsAre("c8"));
  eights.finish();
}

// ---- on the loop --------------------------------------------------------------------------------------------------

/// A version on one instance that completes at once, and a loop that the test turns by hand.
class OnLoopTest : public VersionSchedulerTest {
 protected:
  struct Run {
    std::vector<std::string> ids;
    bool here;
  };

  void start_on_loop(VersionPlan plan, ModelVersion::Description description = describe()) {
    plan.inline_safe = true;
    const auto loop = std::this_thread::get_id();
    Instances instances;
    instances.push_back(std::make_unique<SyncInstance>([this, loop](std::vector<InferRequestPtr>& requests) {
      const std::lock_guard lock(mutex_);
      runs_.push_back({{}, std::this_thread::get_id() == loop});
      for (const auto& request : requests) runs_.back().ids.push_back(request->id);
    }));
    start(plan, std::move(instances), std::move(description));
    while (version_->inline_state() == InlineGovernor::State::kWarming) (void)submit("warm")->wait();
    // The instance is free once a turn gets it.
    do turn({"probe"});
    while (!take_runs().back().here);
  }
  ~OnLoopTest() override { Turn::set_current(nullptr); }

  /// One turn that brings these, waited for.
  void turn(const std::vector<std::string>& ids, Duration budget = 1ms) {
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    Turn::set_current(&turn_);
    turn_.begin(budget);
    for (const std::string& id : ids) sinks.push_back(submit(id));
    turn_.end();
    Turn::set_current(nullptr);
    for (auto& sink : sinks) (void)sink->wait();
  }
  std::vector<Run> take_runs() {
    const std::lock_guard lock(mutex_);
    return std::exchange(runs_, {});
  }

  Turn turn_;
  std::mutex mutex_;
  std::vector<Run> runs_;
};

TEST_F(OnLoopTest, WhatATurnBroughtRunsAsABatchAtItsEnd) {
  start_on_loop(batched(3));
  turn({"a", "b", "c", "d"});
  const auto runs = take_runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(runs[0].ids, ElementsAre("a", "b", "c"));
  EXPECT_THAT(runs[1].ids, ElementsAre("d"));
  EXPECT_TRUE(runs[0].here && runs[1].here);
  unload();
  EXPECT_EQ(stats_->view().pending, 0u);
}

TEST_F(OnLoopTest, WithoutATurnOrBudgetTheInstancesThreadRunsIt) {
  start_on_loop(batched(4));
  (void)submit("a")->wait();
  EXPECT_FALSE(take_runs().back().here);
  turn({"b"}, 0us);
  EXPECT_FALSE(take_runs().back().here);
}

TEST_F(OnLoopTest, UnequalShapesDoNotMeetOnTheLoopEither) {
  start_on_loop(batched(4), describe(-1));
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  for (const auto& [id, inner] : {std::pair{"a4", 4}, {"b8", 8}, {"c4", 4}})
    submit(make_request(std::make_shared<RecordingSink>(), id, 1, {inner}));
  turn_.end();
  const auto runs = take_runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(runs[0].ids, ElementsAre("a4", "c4"));
  EXPECT_THAT(runs[1].ids, ElementsAre("b8"));
}

TEST_F(OnLoopTest, AnAnswerMayBringTheNextRequest) {
  start_on_loop(batched(4));
  auto second = std::make_shared<RecordingSink>();
  auto first = std::make_shared<RecordingSink>();
  first->on_final = [&] { submit(make_request(second, "second")); };
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  submit(make_request(first, "first"));
  turn_.end();
  EXPECT_TRUE(second->finished());
  EXPECT_TRUE(take_runs().back().here);
}

TEST_F(OnLoopTest, CancelledWithinTheTurnNeverRuns) {
  start_on_loop(batched(4));
  auto sink = std::make_shared<RecordingSink>();
  auto request = make_request(sink, "a");
  const auto cancel = std::make_shared<CancelToken>();
  request->cancel = cancel;
  Turn::set_current(&turn_);
  turn_.begin(1ms);
  submit(std::move(request));
  cancel->cancel(CancelToken::Reason::kClientGone);
  turn_.end();
  EXPECT_EQ(sink->wait().code(), Code::kCancelled);
  EXPECT_TRUE(take_runs().empty());
}

TEST_F(OnLoopTest, ADelayIsKeptOnTheInstances) {
  VersionPlan plan = batched(4);
  plan.inline_safe = true;
  plan.batching.max_queue_delay = 1h;
  start(plan);
  EXPECT_EQ(version_->inline_state(), InlineGovernor::State::kEnded);
}

}  // namespace
}  // namespace modelmill
