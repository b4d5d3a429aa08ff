#include "lifecycle/controller_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/log.h"
#include "lifecycle/testing/fake_backend.h"
#include "repository/testing/temp_folder.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

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

  std::string reason(const std::string& model, size_t i = 0) {
    return catalog_.table()->models.at(model)->statuses.at(i).reason;
  }
  VersionState state(const std::string& model, size_t i = 0) {
    return catalog_.table()->models.at(model)->statuses.at(i).state;
  }

  const TempFolder folder_;
  FakeBackends backends_;
  Catalog catalog_;
  MetricRegistry metrics_;
  std::atomic<int> alive_{0};
};

TEST_F(ControllerCoreTest, LoadsARepositoryAndKeepsWhatFailedWithItsReason) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/3/model.onnx");
  folder_.write("a/config.pbtxt", "version_policy { all { } }");
  folder_.write("b.onnx");
  folder_.write("c/1/model.onnx");
  folder_.write("c/config.pbtxt", "sequence_batching { }");
  folder_.write("corrupt/1/model.onnx");
  folder_.write("novers/config.pbtxt", "name: 'novers'");
  ControllerCore core(catalog_, backends_.source(), metrics_, factory(), {}, 3);
  const Status status = core.load_paths({folder_.path()});
  ASSERT_TRUE(status.ok()) << status.to_string();
  const auto table = catalog_.table();
  EXPECT_EQ(table->models.size(), 5U);
  ASSERT_EQ(table->models.at("a")->versions.size(), 2U);
  EXPECT_EQ(table->models.at("a")->versions[1]->version(), 3);
  EXPECT_EQ(state("b"), VersionState::kReady);
  EXPECT_EQ(state("c"), VersionState::kUnavailable);
  EXPECT_THAT(reason("c"), HasSubstr("sequence_batching"));
  EXPECT_THAT(reason("corrupt"), HasSubstr("corrupt"));
  EXPECT_THAT(reason("novers"),
              HasSubstr("at least one version must be available under the version policy of model 'novers'"));
  EXPECT_FALSE(core.all_ready());
  EXPECT_EQ(alive_, 3);
  EXPECT_TRUE(catalog_.pin("b", 0).ok());
}

TEST_F(ControllerCoreTest, AnUnusablePathIsAnError) {
  ControllerCore core(catalog_, backends_.source(), metrics_, factory(), {}, 1);
  EXPECT_EQ(core.load_paths({folder_ / "nothing"}).code(), Code::kNotFound);
  EXPECT_EQ(core.load_paths({folder_.path()}).code(), Code::kNotFound);
  EXPECT_TRUE(catalog_.table()->models.empty());
}

TEST_F(ControllerCoreTest, OneNameIsServedOnce) {
  ControllerCore core(catalog_, backends_.source(), metrics_, factory(), {}, 2);
  const std::string file = folder_.write("a.onnx");
  ASSERT_TRUE(core.load_paths({file}).ok());
  EXPECT_TRUE(core.all_ready());
  EXPECT_EQ(core.load_paths({file}).code(), Code::kAlreadyExists);
  EXPECT_EQ(alive_, 1);
}

TEST_F(ControllerCoreTest, ShutdownWaitsForTheLastRequestAndDestroys) {
  auto core = std::make_unique<ControllerCore>(catalog_, backends_.source(), metrics_, factory(), LoadSettings{}, 2);
  ASSERT_TRUE(core->load_paths({folder_.write("a.onnx"), folder_.write("b.onnx")}).ok());
  auto pin = std::make_unique<Result<VersionPin>>(catalog_.pin("a", 0));
  ASSERT_TRUE(pin->ok());
  std::atomic<bool> down{false};
  std::jthread stopper([&] {
    core->shutdown();
    down = true;
  });
  while (catalog_.pin("a", 0).ok()) std::this_thread::yield();
  EXPECT_FALSE(down);
  EXPECT_GE(alive_, 1);
  pin.reset();
  stopper.join();
  EXPECT_EQ(alive_, 0);
  EXPECT_EQ(backends_.log.unloads, 2);
  EXPECT_EQ(state("a"), VersionState::kUnavailable);
  EXPECT_EQ(reason("a"), "unloaded");
  EXPECT_FALSE(core->all_ready());
  core->shutdown();
  core.reset();
}

TEST_F(ControllerCoreTest, ScalesWhatMayBeScaled) {
  std::map<std::string, DirectVersion*> versions;
  const VersionFactory make = [&](ModelVersion::Description description, std::shared_ptr<VersionStats> stats,
                                  VersionPlan, std::unique_ptr<BackendModel> model,
                                  std::vector<std::unique_ptr<BackendInstance>> instances) {
    const std::string name = description.definition.name;
    auto version = std::make_shared<DirectVersion>(std::move(description), std::move(stats), std::move(model),
                                                   std::move(instances), alive_);
    if (name == "a") version->limits = {1, 4, {}};
    versions[name] = version.get();
    return version;
  };
  ControllerCore core(catalog_, backends_.source(), metrics_, make, {}, 1);
  ASSERT_TRUE(core.load_paths({folder_.write("a.onnx"), folder_.write("b.onnx")}).ok());
  TimePoint now{std::chrono::seconds(100)};
  for (int i = 0; i < 4; ++i) {
    for (auto& [name, version] : versions) {
      version->now.pending = 10;
      version->now.busy = version->now.instances;
      version->now.rows += 100 * version->now.instances;
    }
    core.scale(now += std::chrono::milliseconds(250));
  }
  EXPECT_EQ(versions["a"]->now.instances, 2);
  EXPECT_EQ(versions["a"]->reasons.at(0), "all were busy and requests waited");
  EXPECT_TRUE(versions["b"]->reasons.empty()) << "its number is fixed";
}

TEST_F(ControllerCoreTest, NothingIsPublishedAfterShutdown) {
  ControllerCore core(catalog_, backends_.source(), metrics_, factory(), {}, 2);
  core.shutdown();
  (void)core.load_paths({folder_.write("a.onnx")});
  EXPECT_EQ(alive_, 0);
  EXPECT_FALSE(catalog_.pin("a", 0).ok());
}

}  // namespace
}  // namespace modelmill
