// Loads that failed and are tried again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A model "late" whose loads fail until its backend has it.
class ControllerRetriesTest : public ControllerSwapTest {
 protected:
  ControllerRetriesTest() { folder_.write("late/1/model.onnx"); }

  std::unique_ptr<ControllerCore> with(int64_t retries, Duration interval, ControlMode mode = ControlMode::kExplicit) {
    ControlSettings control;
    control.mode = mode;
    control.load_models = {"*"};
    control.retries = {retries, interval};
    return make(control, {folder_.path()});
  }
  void mend() { backends_.models["late"] = backends_.models["a"]; }
  /// When what has failed by now is due.
  static TimePoint soon(Duration interval) { return Clock::now() + interval + seconds(1); }
};

TEST_F(ControllerRetriesTest, WithoutAnIntervalAllTriesAreMadeAtOnce) {
  const auto core = with(3, Duration::zero());
  EXPECT_EQ(backends_.log.loads, 4) << "the first, and three more";
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  EXPECT_THAT(reason("late"), AllOf(HasSubstr("corrupt"), Not(HasSubstr("retry"))));
  // A client's load has as many.
  EXPECT_FALSE(load(*core, {"late"}).ok());
  EXPECT_EQ(backends_.log.loads, 8);
  mend();
  EXPECT_TRUE(load(*core, {"late"}).ok());
}

TEST_F(ControllerRetriesTest, ItIsLoadingUntilATrySucceeds) {
  const auto core = with(5, seconds(60));
  EXPECT_EQ(backends_.log.loads, 1);
  EXPECT_EQ(state("late"), VersionState::kLoading);
  EXPECT_THAT(reason("late"), AllOf(HasSubstr("corrupt"), HasSubstr("retry 1 of 5")));
  EXPECT_FALSE(core->all_ready());
  core->retry_loads(Clock::now());
  EXPECT_EQ(state("late"), VersionState::kLoading);
  EXPECT_EQ(backends_.log.loads, 1) << "it is not due";
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return backends_.log.loads == 2 && reason("late").find("retry 2 of 5") != std::string::npos; });
  mend();
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return state("late") == VersionState::kReady; });
  EXPECT_EQ(reason("late"), "");
  EXPECT_TRUE(core->all_ready());
  core->retry_loads(soon(seconds(600)));
  EXPECT_EQ(backends_.log.loads, 3);
}

TEST_F(ControllerRetriesTest, AClientsLoadIsAnsweredAfterTheLastTry) {
  folder_.write("a/1/model.onnx");
  const auto core = with(1, seconds(60));
  std::promise<Status> done;
  auto told = done.get_future();
  core->load({"late"}, [&](const Status& status) { done.set_value(status); });
  wait_for([&] { return backends_.log.loads == 3 && state("late", 0) == VersionState::kLoading; });
  EXPECT_NE(told.wait_for(seconds(0)), std::future_status::ready);
  // Nothing else waits for it.
  EXPECT_TRUE(load(*core, {"a"}).ok());
  core->retry_loads(soon(seconds(60)));
  const Status status = told.get();
  EXPECT_THAT(status.message(), AllOf(HasSubstr("load failed for model 'late'"), HasSubstr("corrupt")));
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  core->retry_loads(soon(seconds(600)));
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
}

TEST_F(ControllerRetriesTest, AnUnloadEndsIt) {
  const auto core = with(5, seconds(60));
  std::promise<Status> done;
  core->load({"late"}, [&](const Status& status) { done.set_value(status); });
  wait_for([&] { return backends_.log.loads == 2 && state("late") == VersionState::kLoading; });
  EXPECT_TRUE(unload(*core, "late").ok());
  EXPECT_FALSE(done.get_future().get().ok());
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  mend();
  core->retry_loads(soon(seconds(60)));
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  EXPECT_EQ(backends_.log.loads, 2);
}

TEST_F(ControllerRetriesTest, OtherFilesAreLoadedAtOnceAndCountedAnew) {
  const auto core = with(1, seconds(60), ControlMode::kWatch);
  EXPECT_THAT(reason("late"), HasSubstr("retry 1 of 1"));
  folder_.write("late/1/model.onnx", "another content");
  look(*core);
  wait_for([&] { return backends_.log.loads == 2 && state("late") == VersionState::kLoading; });
  EXPECT_THAT(reason("late"), HasSubstr("retry 1 of 1"));
  mend();
  folder_.write("late/1/model.onnx", "good content");
  look(*core);
  wait_for([&] { return state("late") == VersionState::kReady; });
}

TEST_F(ControllerRetriesTest, WhatServesServesOnWhileItsSuccessorIsTriedAgain) {
  mend();
  const auto core = with(2, seconds(60), ControlMode::kWatch);
  backends_.models.erase("late");
  folder_.write("late/2/model.onnx");
  look(*core);
  wait_for([&] { return catalog_.table()->find("late")->statuses.size() == 2 && !reason("late", 1).empty(); });
  EXPECT_EQ(state("late", 1), VersionState::kLoading);
  EXPECT_THAT(served("late"), ElementsAre(1));
  mend();
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return served("late") == std::vector<int64_t>{2}; });
}

TEST_F(ControllerRetriesTest, AStopEndsItAndTellsWhoWaits) {
  const auto core = with(5, seconds(60));
  std::promise<Status> done;
  core->load({"late"}, [&](const Status& status) { done.set_value(status); });
  wait_for([&] { return backends_.log.loads == 2 && state("late") == VersionState::kLoading; });
  core->hurry();
  EXPECT_THAT(done.get_future().get().message(), HasSubstr("the server is stopping"));
  core->retry_loads(soon(seconds(60)));
  EXPECT_EQ(backends_.log.loads, 2);
  core->shutdown();
}

TEST_F(ControllerRetriesTest, ARequestDoesNotWaitForIt) {
  ControlSettings control;
  control.on_demand = true;
  control.retries = {5, seconds(60)};
  const auto core = make(control, {folder_.path()});
  EXPECT_EQ(backends_.log.loads, 0);
  for (int request = 0; request < 2; ++request) {
    std::promise<Status> done;
    demand_.wait({.model = "late", .resume = [&](const Status& status) { done.set_value(status); }}, Clock::now());
    EXPECT_THAT(done.get_future().get().message(), HasSubstr("corrupt"));
    EXPECT_EQ(backends_.log.loads, 1) << "it is not tried again for each request";
  }
  mend();
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return state("late") == VersionState::kReady; });
}

TEST_F(ControllerRetriesTest, TheStartWaitsWhereItIsToldTo) {
  ControlSettings control;
  control.retries = {1, Duration(1)};
  control.start_awaits_retries = true;
  ControllerCore core(parts(), LoadSettings{}, control, 2);
  core.start();
  ASSERT_TRUE(core.load_sources({{folder_.path()}}).ok());
  EXPECT_EQ(backends_.log.loads, 2);
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
}

}  // namespace
}  // namespace modelmill
