#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/testing/temp_folder.h"
#include "lifecycle/controller_core.h"
#include "lifecycle/testing/fake_backend.h"

namespace modelmill {

/// Runs each request at once on its first instance.
class DirectVersion final : public ModelVersion {
 public:
  DirectVersion(Description description, std::shared_ptr<VersionStats> stats, std::unique_ptr<BackendModel> model,
                std::vector<std::unique_ptr<BackendInstance>> instances, std::atomic<int>& alive)
      : ModelVersion(std::move(description), std::move(stats)),
        model_(std::move(model)),
        instances_(std::move(instances)),
        alive_(alive) {
    ++alive_;
  }
  ~DirectVersion() override { --alive_; }
  InstanceLimits instance_limits() const override { return limits; }
  InstanceLoad load() const override { return now; }
  Status set_instances(int count, const std::string& reason) override {
    now.instances = count;
    reasons.push_back(reason);
    return ok_status();
  }

  InstanceLimits limits;
  InstanceLoad now{1, 0, 0, {}, 0};
  std::vector<std::string> reasons;

  void submit(InferRequestPtr request) override {
    std::vector<InferRequestPtr> batch;
    batch.push_back(std::move(request));
    instances_.front()->execute(std::move(batch), [](const ExecutionResult&) {});
  }

 private:
  std::unique_ptr<BackendModel> model_;
  std::vector<std::unique_ptr<BackendInstance>> instances_;
  std::atomic<int>& alive_;
};

class ControllerCoreTest : public testing::Test {
 protected:
  ControllerCoreTest() {
    Log::configure({LogLevel::kOff, LogFormat::kText, 2});
    BackendModelInfo info;
    info.signature.inputs = {{"x", DataType::kFp32, {-1, 1}, {"N", ""}, false}};
    info.signature.outputs = {{"y", DataType::kFp32, {-1, 1}, {"N", ""}, false}};
    info.concurrent_execute = true;
    for (const char* name : {"a", "b", "c"})
      backends_.models[name] = {info, [](const TensorList& inputs) -> Result<TensorList> {
                                  Tensor y = inputs[0];
                                  y.name = "y";
                                  return TensorList{y};
                                }};
  }
  ~ControllerCoreTest() override { Log::configure({}); }

  VersionFactory factory() {
    return [this](ModelVersion::Description description, std::shared_ptr<VersionStats> stats, VersionPlan,
                  std::unique_ptr<BackendModel> model,
                  std::vector<std::unique_ptr<BackendInstance>> instances) -> std::shared_ptr<ModelVersion> {
      return std::make_shared<DirectVersion>(std::move(description), std::move(stats), std::move(model),
                                             std::move(instances), alive_);
    };
  }

  ControllerCore::Parts parts() { return {catalog_, demand_, backends_.source(), metrics_, factory()}; }

  /// Until the condition, which other threads make true, holds.
  template <typename Condition>
  static void wait_for(Condition condition) {
    const TimePoint until = Clock::now() + std::chrono::seconds(60);
    while (!condition() && Clock::now() < until) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }

  std::string reason(const std::string& model, size_t i = 0) {
    return catalog_.table()->find(model)->statuses.at(i).reason;
  }
  VersionState state(const std::string& model, size_t i = 0) {
    return catalog_.table()->find(model)->statuses.at(i).state;
  }

  const TempFolder folder_;
  FakeBackends backends_;
  Catalog catalog_;
  Demand demand_;
  MetricRegistry metrics_;
  std::atomic<int> alive_{0};
};

}  // namespace modelmill
