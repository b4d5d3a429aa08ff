// Which models are on the GPUs, when not all may be.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// The models a, b and c, of 60 bytes on GPU 0 each; there are 100.
class ControllerDevicesTest : public ControllerSwapTest {
 protected:
  ControllerDevicesTest() {
    for (const char* name : {"a", "b", "c"}) add(name, "60");
  }
  void add(const std::string& name, const std::string& bytes, const std::string& more = "") {
    folder_.write(name + "/1/model.onnx");
    folder_.write(name + "/modelmill.yaml", "gpus: [0]\ninstance_memory: " + bytes + "\n" + more);
  }
  std::unique_ptr<ControllerCore> start(ControlSettings control, DeviceBudgets declared = {}) {
    LoadSettings settings;
    settings.gpus = {0, 1};
    auto core = std::make_unique<ControllerCore>(parts(), settings, std::move(control), 2);
    core->set_device_budgets(declared);
    EXPECT_TRUE(core->load_sources({{folder_.path()}}).ok());
    return core;
  }
  static ControlSettings on_demand() {
    ControlSettings control;
    control.on_demand = true;
    control.device_budgets = {100, {}};
    return control;
  }
  std::future<Status> begin_ask(const std::string& model) {
    auto done = std::make_shared<std::promise<Status>>();
    auto outcome = done->get_future();
    demand_.wait({model, kNever, nullptr, 0, [done](const Status& status) { done->set_value(status); }}, Clock::now());
    return outcome;
  }
  Status ask(const std::string& model) { return begin_ask(model).get(); }
};

TEST_F(ControllerDevicesTest, TheLeastRecentlyUsedIsPutAwayAndComesBack) {
  const auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_TRUE(ask("b").ok());
  EXPECT_THAT(served("b"), ElementsAre(1));
  EXPECT_THAT(served("a"), ElementsAre());
  wait_for([&] { return reason("a") == "put away to make room; it loads at the next request"; });
  EXPECT_TRUE(ask("a").ok());
  EXPECT_THAT(served("a"), ElementsAre(1));
  wait_for([&] { return alive_ == 1; });
}

TEST_F(ControllerDevicesTest, ALoadWaitsUntilTheOtherHasGone) {
  const auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  auto pin = std::make_unique<Result<VersionPin>>(catalog_.pin("a", 0));
  ASSERT_TRUE(pin->ok());
  auto outcome = begin_ask("b");
  wait_for([&] { return served("a").empty(); });
  EXPECT_EQ(outcome.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "a still holds it";
  EXPECT_EQ(backends_.log.instances, 1);
  pin.reset();
  EXPECT_TRUE(outcome.get().ok());
}

TEST_F(ControllerDevicesTest, AnUnloadEndsTheWait) {
  const auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  auto pin = std::make_unique<Result<VersionPin>>(catalog_.pin("a", 0));
  auto outcome = begin_ask("b");
  wait_for([&] { return served("a").empty(); });
  EXPECT_TRUE(unload(*core, "b").ok());
  EXPECT_FALSE(outcome.get().ok());
  pin.reset();
}

TEST_F(ControllerDevicesTest, AShutdownEndsTheWait) {
  auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  auto pin = std::make_unique<Result<VersionPin>>(catalog_.pin("a", 0));
  auto outcome = begin_ask("b");
  wait_for([&] { return served("a").empty(); });
  std::jthread stopper([&] { core->shutdown(); });
  EXPECT_FALSE(outcome.get().ok());
  pin.reset();
  stopper.join();
  EXPECT_EQ(alive_, 0);
}

TEST_F(ControllerDevicesTest, WhatIsPinnedStays) {
  add("a", "60", "pinned: true\n");
  const auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  EXPECT_THAT(ask("b").message(),
              AllOf(HasSubstr("model 'b' version 1 needs 60 B of gpu 0, of whose budget of 100 B 60 B are held"),
                    HasSubstr("(60 B by model 'a' version 1)")));
  EXPECT_THAT(served("a"), ElementsAre(1));
}

TEST_F(ControllerDevicesTest, NobodyGoesForWhatNeverFits) {
  add("c", "101");
  const auto core = start(on_demand());
  EXPECT_TRUE(ask("a").ok());
  EXPECT_THAT(ask("c").message(), HasSubstr("it can't fit"));
  EXPECT_THAT(served("a"), ElementsAre(1));
}

TEST_F(ControllerDevicesTest, WithoutLoadingOnDemandTheFirstStay) {
  ControlSettings control = mode(ControlMode::kExplicit);
  control.load_models = {"a"};
  backends_.memory = BackendRegistry::DeviceMemory{100, 100};
  const auto core = start(control);
  EXPECT_FALSE(demand_.in_use()) << "a budget that nobody asked for";
  EXPECT_THAT(load(*core, {"b"}).message(), HasSubstr("needs 60 B of gpu 0, of whose budget of 90 B 60 B are held"));
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_TRUE(unload(*core, "a").ok());
  wait_for([&] { return alive_ == 0; });
  EXPECT_TRUE(load(*core, {"b"}).ok());
}

TEST_F(ControllerDevicesTest, TheOptionComesBeforeWhatFilesSay) {
  const auto core = start(on_demand(), {1'000, {{0, 200}}});
  EXPECT_TRUE(ask("a").ok());
  EXPECT_TRUE(ask("b").ok());
  EXPECT_THAT(served("a"), ElementsAre()) << "100 bytes are for both too few";
}

TEST_F(ControllerDevicesTest, WhatFilesSayCountsWithoutAnOption) {
  ControlSettings control = on_demand();
  control.device_budgets = {};
  const auto core = start(control, {{}, {{0, 200}}});
  EXPECT_TRUE(ask("a").ok());
  EXPECT_TRUE(ask("b").ok());
  EXPECT_TRUE(ask("c").ok());
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_THAT(served("b"), ElementsAre(1));
}

/// Loads, unloads and requests at the same time, of models of which one fits: at the end all is given back.
TEST_F(ControllerDevicesTest, NothingIsLostUnderAStorm) {
  const auto core = start(on_demand());
  std::vector<std::jthread> clients;
  for (const char* name : {"a", "b", "c"})
    clients.emplace_back([&, name] {
      for (int i = 0; i < 40; ++i) (void)ask(name);
    });
  clients.clear();
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(unload(*core, name).ok());
  wait_for([&] { return alive_ == 0; });
  wait_for(
      [&] { return metrics_.render().find("modelmill_device_memory_held_bytes{gpu=\"0\"} 0\n") != std::string::npos; });
  EXPECT_EQ(metrics_.render().find("modelmill_model_device_memory_bytes{"), std::string::npos);
}

}  // namespace
}  // namespace modelmill
