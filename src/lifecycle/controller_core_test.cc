#include "lifecycle/controller_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>
#include <vector>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

TEST_F(ControllerCoreTest, LoadsARepositoryAndKeepsWhatFailedWithItsReason) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/3/model.onnx");
  folder_.write("a/config.pbtxt", "version_policy { all { } }");
  folder_.write("b.onnx");
  folder_.write("c/1/model.onnx");
  folder_.write("c/config.pbtxt", "sequence_batching { }");
  folder_.write("corrupt/1/model.onnx");
  folder_.write("novers/config.pbtxt", "name: 'novers'");
  ControllerCore core(parts(), {}, {}, 3);
  const Status status = core.load_sources({{folder_.path()}});
  ASSERT_TRUE(status.ok()) << status.to_string();
  const auto table = catalog_.table();
  EXPECT_EQ(table->size(), 5U);
  ASSERT_EQ(table->find("a")->versions.size(), 2U);
  EXPECT_EQ(table->find("a")->versions[1]->version(), 3);
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
  ControllerCore core(parts(), {}, {}, 1);
  EXPECT_EQ(core.load_sources({{folder_ / "nothing"}}).code(), Code::kNotFound);
  EXPECT_EQ(core.load_sources({{folder_.path()}}).code(), Code::kNotFound);
  EXPECT_TRUE(catalog_.table()->empty());
}

TEST_F(ControllerCoreTest, OneNameIsServedOnce) {
  ControllerCore core(parts(), {}, {}, 2);
  const std::string file = folder_.write("a.onnx");
  ASSERT_TRUE(core.load_sources({{file}}).ok());
  EXPECT_TRUE(core.all_ready());
  EXPECT_EQ(alive_, 1);
}

TEST_F(ControllerCoreTest, ShutdownWaitsForTheLastRequestAndDestroys) {
  auto core = std::make_unique<ControllerCore>(parts(), LoadSettings{}, ControlSettings{}, 2);
  ASSERT_TRUE(core->load_sources({{folder_.write("a.onnx"), folder_.write("b.onnx")}}).ok());
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
  ControllerCore core({catalog_, demand_, backends_.source(), metrics_, make}, {}, {}, 1);
  ASSERT_TRUE(core.load_sources({{folder_.write("a.onnx"), folder_.write("b.onnx")}}).ok());
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

TEST_F(ControllerCoreTest, CodeThatIsLoadedMayWaitForOtherModelsOnTheOnlyThread) {
  ControllerCore* core = nullptr;
  std::vector<Status> said;
  const auto wait = [&](const std::function<void(ModelControl::Done)>& ask) {
    std::promise<Status> over;
    ask([&over](const Status& status) { over.set_value(status); });
    said.push_back(over.get_future().get());
  };
  const VersionFactory make = [&](ModelVersion::Description description, std::shared_ptr<VersionStats> stats,
                                  VersionPlan, std::unique_ptr<BackendModel> model,
                                  std::vector<std::unique_ptr<BackendInstance>> instances) {
    if (description.definition.name == "a") {
      ModelLoad load{"b"};
      load.for_code = true;
      wait([&](ModelControl::Done done) { core->load(load, std::move(done)); });
      wait([&](ModelControl::Done done) { core->unload({.model = "b", .for_code = true}, std::move(done)); });
      wait([&](ModelControl::Done done) {
        core->unload({.model = "nobody", .with_members = true, .for_code = true}, std::move(done));
      });
    }
    return std::make_shared<DirectVersion>(std::move(description), std::move(stats), std::move(model),
                                           std::move(instances), alive_);
  };
  folder_.write("a/1/model.onnx");
  folder_.write("b/1/model.onnx");
  ControlSettings control;
  control.mode = ControlMode::kExplicit;
  ControllerCore one_thread({catalog_, demand_, backends_.source(), metrics_, make}, {}, control, 1);
  core = &one_thread;
  ASSERT_TRUE(core->load_sources({{folder_.path()}}).ok());
  wait([&](ModelControl::Done done) { core->load({"a"}, std::move(done)); });
  ASSERT_EQ(said.size(), 4U);
  EXPECT_TRUE(said[0].ok()) << said[0].to_string();
  EXPECT_TRUE(said[1].ok()) << said[1].to_string();
  EXPECT_EQ(said[2].code(), Code::kNotFound);
  EXPECT_TRUE(said[3].ok()) << said[3].to_string();
  EXPECT_TRUE(catalog_.pin("a", 0).ok());
  EXPECT_FALSE(catalog_.pin("b", 0).ok());
}

TEST_F(ControllerCoreTest, NothingIsPublishedAfterShutdown) {
  ControllerCore core(parts(), {}, {}, 2);
  core.shutdown();
  (void)core.load_sources({{folder_.write("a.onnx")}});
  EXPECT_EQ(alive_, 0);
  EXPECT_FALSE(catalog_.pin("a", 0).ok());
}

}  // namespace
}  // namespace modelmill
