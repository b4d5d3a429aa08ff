// Requests that can't be answered in time are refused before they wait, or dropped before they run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schedule/testing/version_test.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::batched;
using ::testing::HasSubstr;
using testing::make_request;
using testing::PendingBatch;
using testing::RecordingSink;

/// One instance; a row is known to take 1 ms.
class VersionAdmission : public testing::VersionTest {
 protected:
  void start(std::chrono::microseconds objective) {
    VersionPlan plan = batched(1, false);
    plan.cost_aware = true;
    plan.costs = {{InstanceGroup::Kind::kCpu, 0, "", {{1, 1ms, 1ms, 10}}}};
    plan.batching.objective_p99 = objective;
    VersionTest::start(plan);
  }
  std::shared_ptr<RecordingSink> submit(Duration deadline = {}) {
    auto sink = std::make_shared<RecordingSink>();
    InferRequestPtr request = make_request(sink);
    if (deadline > Duration{}) request->deadline = time_.now() + deadline;
    VersionTest::submit(std::move(request));
    return sink;
  }
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
