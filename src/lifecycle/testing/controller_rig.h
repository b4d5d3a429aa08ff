#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
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
  Status set_instances(int count, ScalingReason /*reason*/, const std::string& text) override {
    now.instances = count;
    reasons.push_back(text);
    return ok_status();
  }

  InstanceLimits limits;
  InstanceLoad now{1, 0, 0, {}, 0};
  std::vector<std::string> reasons;
  std::vector<LearnedCost> costs;
  std::vector<LearnedCost> learned() const override { return costs; }

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
    return [this](ModelVersion::Description description, std::shared_ptr<VersionStats> stats, VersionPlan plan,
                  std::unique_ptr<BackendModel> model,
                  std::vector<std::unique_ptr<BackendInstance>> instances) -> std::shared_ptr<ModelVersion> {
      auto version = std::make_shared<DirectVersion>(std::move(description), std::move(stats), std::move(model),
                                                     std::move(instances), alive_);
      version->costs = std::move(plan.costs);
      return version;
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

/// What versions and models come and go in.
class ControllerSwapTest : public ControllerCoreTest {
 protected:
  std::unique_ptr<ControllerCore> make(ControlSettings control, const std::vector<std::string>& paths) {
    auto core = std::make_unique<ControllerCore>(parts(), LoadSettings{}, std::move(control), 2);
    const Status status = core->load_sources({paths});
    EXPECT_TRUE(status.ok()) << status.to_string();
    return core;
  }
  static ControlSettings mode(ControlMode mode) {
    ControlSettings control;
    control.mode = mode;
    return control;
  }
  /// Looks twice, with the time of rest between them, and waits for what comes of it.
  void look(ControllerCore& core) {
    EXPECT_FALSE(core.look(now_));
    now_ += std::chrono::seconds(1);
    EXPECT_TRUE(core.look(now_));
  }
  std::vector<int64_t> served(const std::string& model) {
    std::vector<int64_t> numbers;
    const auto table = catalog_.table();
    if (const ModelEntry* entry = table->find(model))
      for (const auto& version : entry->versions) numbers.push_back(version->version());
    return numbers;
  }
  static Status load(ControllerCore& core, ModelLoad load) {
    std::promise<Status> done;
    core.load(std::move(load), [&](const Status& status) { done.set_value(status); });
    return done.get_future().get();
  }
  static Status unload(ControllerCore& core, const std::string& model) {
    std::promise<Status> done;
    core.unload({model}, [&](const Status& status) { done.set_value(status); });
    return done.get_future().get();
  }

  TimePoint now_ = Clock::now();
};

}  // namespace modelmill
