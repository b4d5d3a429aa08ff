#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "schedule/testing/fakes.h"
#include "schedule/version_scheduler.h"

namespace modelmill::testing {

using Instances = std::vector<std::unique_ptr<BackendInstance>>;

/// How a version of batches of so many rows is run.
inline VersionPlan batched(int64_t max_rows, bool has_batch_dimension = true) {
  VersionPlan plan;
  plan.max_batch_rows = max_rows;
  plan.has_batch_dimension = has_batch_dimension;
  return plan;
}

/// A version on instances that the test finishes batch by batch, or on its own.
class VersionTest : public ::testing::Test {
 protected:
  void start(const VersionPlan& plan, int instances = 1, ModelVersion::Description description = describe()) {
    Instances made;
    for (int i = 0; i < instances; ++i) made.push_back(std::make_unique<StagedInstance>(stage_));
    start(plan, std::move(made), std::move(description));
  }
  void start(const VersionPlan& plan, Instances instances, ModelVersion::Description description = describe()) {
    stats_ = std::make_shared<VersionStats>(metrics_, "m", 1);
    auto cache = answers_ ? std::make_shared<VersionCache>(answers_, stats_, nullptr, nullptr, time_) : nullptr;
    version_ = std::make_unique<VersionScheduler>(std::move(description), stats_, plan, std::make_unique<FakeModel>(),
                                                  std::move(instances), time_, std::move(cache));
  }
  std::shared_ptr<RecordingSink> submit(const std::string& id = "", int64_t rows = 1) {
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

  ManualTime time_;
  MetricRegistry metrics_;
  std::shared_ptr<VersionStats> stats_;
  std::shared_ptr<ResponseCache> answers_;  // null: they are not kept
  Stage stage_;
  std::unique_ptr<VersionScheduler> version_;
};

}  // namespace modelmill::testing
