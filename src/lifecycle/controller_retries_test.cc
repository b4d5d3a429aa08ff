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

  std::unique_ptr<ControllerCore> with(int64_t retries, Duration interval, ControlMode mode = ControlMode::kExplicit,
                                       const std::vector<std::string>& at_start = {"*"}) {
    ControlSettings control;
    control.mode = mode;
    control.load_models = at_start;
    control.retries = {retries, interval};
    return make(control, {folder_.path()});
  }
  /// One with nothing loaded, and then a client's load of "late" that has failed once.
  std::unique_ptr<ControllerCore> with_a_client(int64_t retries, std::promise<Status>& done) {
    auto core = with(retries, seconds(60), ControlMode::kExplicit, {});
    core->load({"late"}, [&](const Status& status) { done.set_value(status); });
    wait_for([&] {
      const auto entry = catalog_.table()->share("late");
      return entry && !entry->statuses.empty() && entry->statuses[0].reason.find("retry 1") != std::string::npos;
    });
    EXPECT_EQ(state("late"), VersionState::kLoading);
    EXPECT_EQ(backends_.log.loads, 1);
    return core;
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
  std::promise<Status> done;
  auto told = done.get_future();
  const auto core = with_a_client(1, done);
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
  std::promise<Status> done;
  const auto core = with_a_client(5, done);
  EXPECT_TRUE(unload(*core, "late").ok());
  EXPECT_FALSE(done.get_future().get().ok());
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  mend();
  core->retry_loads(soon(seconds(60)));
  EXPECT_EQ(state("late"), VersionState::kUnavailable);
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ControllerRetriesTest, OtherFilesAreLoadedAtOnceAndCountedAnew) {
  const auto core = with(2, seconds(60), ControlMode::kWatch);
  const auto is_told = [&](const char* what) { return reason("late").find(what) != std::string::npos; };
  EXPECT_TRUE(is_told("retry 1 of 2"));
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return is_told("retry 2 of 2"); });
  folder_.write("late/1/model.onnx", "another content");
  look(*core);
  wait_for([&] { return is_told("retry 1 of 2"); });
  EXPECT_EQ(backends_.log.loads, 3);
  EXPECT_EQ(state("late"), VersionState::kLoading);
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

TEST_F(ControllerRetriesTest, WhatIsNotWantedGoesMeanwhileIfAnotherServes) {
  mend();
  folder_.write("late/2/model.onnx");
  folder_.write("late/modelmill.yaml", "versions: {latest: 2}\n");
  const auto core = with(2, seconds(60), ControlMode::kWatch);
  EXPECT_THAT(served("late"), ElementsAre(1, 2));
  backends_.models.erase("late");
  folder_.write("late/3/model.onnx");
  look(*core);
  wait_for([&] { return served("late") == std::vector<int64_t>{2}; });
  EXPECT_EQ(backends_.log.loads, 3);
  mend();
  core->retry_loads(soon(seconds(60)));
  wait_for([&] { return served("late") == std::vector<int64_t>{2, 3}; });
}

TEST_F(ControllerRetriesTest, AStopEndsItAndTellsWhoWaits) {
  std::promise<Status> done;
  const auto core = with_a_client(5, done);
  core->hurry();
  EXPECT_THAT(done.get_future().get().message(), HasSubstr("the server is stopping"));
  core->retry_loads(soon(seconds(60)));
  EXPECT_EQ(backends_.log.loads, 1);
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
