// Requests that can't be answered in time are refused before they wait, or dropped before they run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedule/testing/fakes.h"
#include "schedule/version_scheduler.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::describe;
using testing::FakeModel;
using ::testing::HasSubstr;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;
using testing::Stage;
using testing::StagedInstance;

/// One instance; a row is known to take 1 ms.
class VersionAdmission : public ::testing::Test {
 protected:
  void start(std::chrono::microseconds objective) {
    VersionPlan plan;
    plan.max_batch_rows = 1;
    plan.cost_aware = true;
    plan.costs = {{InstanceGroup::Kind::kCpu, 0, "", {{1, 1ms, 1ms, 10}}}};
    plan.batching.objective_p99 = objective;
    std::vector<std::unique_ptr<BackendInstance>> instances;
    instances.push_back(std::make_unique<StagedInstance>(stage_));
    // A signature of one shape class, so that the cost is of all requests.
    ModelVersion::Description description = describe();
    version_ =
        std::make_unique<VersionScheduler>(std::move(description), std::make_shared<VersionStats>(metrics_, "m", 1),
                                           plan, std::make_unique<FakeModel>(), std::move(instances), time_);
  }
  std::shared_ptr<RecordingSink> submit(Duration deadline = {}) {
    auto sink = std::make_shared<RecordingSink>();
    InferRequestPtr request = make_request(sink);
    if (deadline > Duration{}) request->deadline = time_.now() + deadline;
    VersionPin pin(*version_);
    std::move(pin).hand_to(*request);
    version_->submit(std::move(request));
    return sink;
  }

  ManualTime time_;
  MetricRegistry metrics_;
  Stage stage_;
  std::unique_ptr<VersionScheduler> version_;
};

TEST_F(VersionAdmission, TooManyInFrontOfTheObjective) {
  start(10ms);
  auto running = submit();
  PendingBatch first = stage_.take();
  std::vector<std::shared_ptr<RecordingSink>> waiting;
  std::shared_ptr<RecordingSink> refused;
  for (int i = 0; i < 30 && !refused; ++i) {
    auto sink = submit();
    (sink->finished() ? refused : waiting.emplace_back()) = sink;
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->wait().code(), Code::kUnavailable);
  EXPECT_THAT(refused->wait().message(), HasSubstr("objective of 10000 us"));
  EXPECT_GE(waiting.size(), 5u);
  EXPECT_LE(waiting.size(), 10u);
  first.finish();
  for (size_t i = 0; i < waiting.size(); ++i) {
    time_.advance(1ms);
    stage_.take().finish();
  }
  for (const auto& sink : waiting) EXPECT_TRUE(sink->wait().ok()) << "who was let in is answered";
}

TEST_F(VersionAdmission, WhoHasWaitedTooLongIsDroppedForThoseWhoHaveTime) {
  start(10ms);
  auto running = submit();
  PendingBatch first = stage_.take();
  auto late = submit();
  time_.advance(9'500us);  // the one that runs takes much longer than was known
  auto fresh = submit();
  first.finish();
  EXPECT_EQ(late->wait().code(), Code::kUnavailable);
  EXPECT_THAT(late->wait().message(), HasSubstr("objective can't be held"));
  stage_.take().finish();
  EXPECT_TRUE(fresh->wait().ok());
}

TEST_F(VersionAdmission, ADeadlineThatCantBeMet) {
  start(0us);
  auto running = submit();
  PendingBatch first = stage_.take();
  std::vector<std::shared_ptr<RecordingSink>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(submit());
  auto hopeless = submit(5ms);
  EXPECT_EQ(hopeless->wait().code(), Code::kDeadlineExceeded);
  EXPECT_THAT(hopeless->wait().message(), HasSubstr("after the request's deadline"));
  auto patient = submit(1s);
  EXPECT_FALSE(patient->finished());
  first.finish();
  for (int i = 0; i < 21; ++i) stage_.take().finish();
  EXPECT_TRUE(patient->wait().ok());
}

}  // namespace
}  // namespace modelmill
