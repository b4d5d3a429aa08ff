#include "schedule/version_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using testing::describe;
using ::testing::ElementsAre;
using testing::FakeModel;
using testing::Instances;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::StagedInstance;
using testing::SyncInstance;

class VersionSchedulerTest : public testing::VersionTest {
 protected:
  uint64_t cuts(const char* reason) {
    const std::string text = metrics_.render();
    const std::string line =
        "modelmill_batch_cut_total{model=\"m\",version=\"1\",reason=\"" + std::string(reason) + "\"} ";
    const size_t at = text.find(line);
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + line.size()));
  }
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

}  // namespace
}  // namespace modelmill
