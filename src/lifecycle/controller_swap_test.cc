// How versions take each other's places: by files, by clients, on demand and within a memory budget.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <thread>

#include "lifecycle/testing/controller_rig.h"
#include "storage/testing/made_archive.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(ControllerSwapTest, AnOverwrittenFileIsTheNextVersion) {
  const std::string file = folder_.write("a.onnx");
  const auto core = make({}, {file});
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_TRUE(core->look(now_)) << "nothing has changed";
  folder_.write("a.onnx", "other");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2}; });
  // The old number is forgotten.
  wait_for([&] { return alive_ == 1 && catalog_.table()->find("a")->statuses.size() == 1; });
}

TEST_F(ControllerSwapTest, ALookThatFindsNothingPublishesNothing) {
  const auto core = make(mode(ControlMode::kWatch), {folder_.write("a.onnx"), folder_.write("b.onnx")});
  const uint64_t published = catalog_.publications();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(core->look(now_));
  EXPECT_EQ(catalog_.publications(), published);
  folder_.write("a.onnx", "other");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2}; });
  EXPECT_GT(catalog_.publications(), published);
}

TEST_F(ControllerSwapTest, LoadsOfVersionsThatAreGoneAreForgotten) {
  const std::string file = folder_.write("a.onnx");
  LoadSettings settings;
  settings.attempts = std::make_shared<LoadAttempts>();
  ControllerCore core(parts(), settings, ControlSettings{}, 2);
  ASSERT_TRUE(core.load_sources({std::vector<std::string>{file}}).ok());
  EXPECT_TRUE(settings.attempts->view().contains({"a", 1}));
  folder_.write("a.onnx", "other");
  look(core);
  wait_for([&] {
    const auto all = settings.attempts->view();
    return all.size() == 1 && all.contains({"a", 2});
  });
}

TEST_F(ControllerSwapTest, WhatTheVersionBeforeHasLearnedOfCostsIsNotMeasured) {
  const std::string file = folder_.write("a.onnx");
  const auto core = make({}, {file});
  const auto points = [&] { return catalog_.table()->find("a")->versions.front()->learned().at(0).points.size(); };
  const int first = backends_.log.executions;
  const size_t measured = points();
  folder_.write("a.onnx", "other");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2}; });
  EXPECT_LT(backends_.log.executions - first, first);
  EXPECT_EQ(points(), measured);
}

TEST_F(ControllerSwapTest, NorWhatAModelHadLearnedBeforeItWasUnloaded) {
  folder_.write("a/1/model.onnx");
  const auto core = make(mode(ControlMode::kExplicit), {folder_ / "a"});
  ASSERT_TRUE(load(*core, {"a"}).ok());
  const int first = backends_.log.executions;
  ASSERT_TRUE(unload(*core, "a").ok());
  ASSERT_TRUE(load(*core, {"a"}).ok());
  EXPECT_LT(backends_.log.executions - first, first);
}

TEST_F(ControllerSwapTest, WhenAFileSaysItWasWrittenDoesNotMatter) {
  const std::string file = folder_.write("a.onnx");
  const auto core = make({}, {file});
  int64_t version = 1;
  // As after a step of the wall clock: only how long it has been still on the monotonic clock counts.
  for (const auto step : {std::chrono::hours(24 * 365), std::chrono::hours(-24 * 365 * 20), std::chrono::hours(0)}) {
    folder_.write("a.onnx", "other " + std::to_string(version));
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() + step);
    look(*core);
    ++version;
    wait_for([&] { return served("a") == std::vector<int64_t>{version}; });
    EXPECT_TRUE(core->look(now_)) << "it is at rest";
  }
}

TEST_F(ControllerSwapTest, WhatStillChangesIsNotTaken) {
  const std::string file = folder_.write("a.onnx");
  const auto core = make({}, {file});
  for (int i = 0; i < 5; ++i) {
    folder_.write("a.onnx", std::string(static_cast<size_t>(i) + 2, 'x'));
    EXPECT_FALSE(core->look(now_ += std::chrono::milliseconds(900)));
  }
  EXPECT_EQ(backends_.log.loads, 1);
}

TEST_F(ControllerSwapTest, TheOldVersionServesUntilTheNewOneDoesAndWhenItFails) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/config.pbtxt", "");
  const auto core = make(mode(ControlMode::kPoll), {folder_.path()});
  folder_.write("a/2/wrong.txt");
  look(*core);
  wait_for([&] { return state("a", 1) == VersionState::kUnavailable && !reason("a", 1).empty(); });
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_THAT(reason("a", 1), HasSubstr("no model file"));
  EXPECT_TRUE(core->all_ready()) << "one version serves";
  folder_.write("a/2/model.onnx");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2}; });
}

TEST_F(ControllerSwapTest, RequestsInFlightKeepTheOldVersionAlive) {
  const std::string file = folder_.write("a.onnx");
  const auto core = make({}, {file});
  auto pin = std::make_unique<Result<VersionPin>>(catalog_.pin("a", 0));
  folder_.write("a.onnx", "other");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2}; });
  EXPECT_EQ(alive_, 2);
  EXPECT_EQ((**pin)->version(), 1);
  EXPECT_EQ(state("a", 0), VersionState::kUnloading);
  pin.reset();
  wait_for([&] { return alive_ == 1; });
}

TEST_F(ControllerSwapTest, ASwapThatMadeRoomAndFailedSaysBoth) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/modelmill.yaml", "swap: resource\n");
  const auto core = make(mode(ControlMode::kExplicit), {folder_ / "a"});
  ASSERT_TRUE(load(*core, {"a"}).ok());
  const auto model = backends_.models["a"];
  backends_.models.erase("a");
  folder_.write("a/2/model.onnx");
  EXPECT_THAT(load(*core, {"a"}).message(),
              AllOf(HasSubstr("version 2: "), HasSubstr("what served before can't be loaded again: version 1: ")));
  EXPECT_THAT(served("a"), IsEmpty());
  backends_.models["a"] = model;
  EXPECT_TRUE(load(*core, {"a"}).ok());
  EXPECT_THAT(served("a"), ElementsAre(2));
}

TEST_F(ControllerSwapTest, WhatAClientUnloadedIsNotRestored) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/modelmill.yaml", "swap: resource\n");
  const auto core = make(mode(ControlMode::kExplicit), {folder_ / "a"});
  ASSERT_TRUE(load(*core, {"a"}).ok());
  ASSERT_TRUE(unload(*core, "a").ok());
  const auto model = backends_.models["a"];
  backends_.models.erase("a");
  folder_.write("a/2/model.onnx");
  EXPECT_THAT(load(*core, {"a"}).message(), testing::Not(HasSubstr("served before")));
  backends_.models["a"] = model;
  EXPECT_THAT(served("a"), IsEmpty());
}

TEST_F(ControllerSwapTest, ABreakingVersionIsRefusedUnlessAllowed) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/config.pbtxt", "");
  const auto core = make(mode(ControlMode::kExplicit), {folder_.path()});
  ASSERT_TRUE(load(*core, {"a"}).ok());
  backends_.models["a"].info.signature.inputs[0].name = "renamed";
  folder_.write("a/2/model.onnx");
  const Status refused = load(*core, {"a"});
  EXPECT_THAT(refused.message(), HasSubstr("version 2 would break clients of version 1: input 'x' is gone"));
  EXPECT_THAT(served("a"), ElementsAre(1));
  ModelLoad allowed{"a"};
  allowed.allow_breaking = true;
  EXPECT_TRUE(load(*core, allowed).ok());
  EXPECT_THAT(served("a"), ElementsAre(2));
}

TEST_F(ControllerSwapTest, ExplicitModeLoadsWhatIsNamedAndAskedFor) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/config.pbtxt", "");
  folder_.write("b/1/model.onnx");
  folder_.write("b/config.pbtxt", "");
  ControlSettings control = mode(ControlMode::kExplicit);
  control.load_models = {"b"};
  const auto core = make(control, {folder_.path()});
  EXPECT_THAT(served("a"), IsEmpty());
  EXPECT_THAT(served("b"), ElementsAre(1));
  EXPECT_TRUE(core->all_ready());
  EXPECT_TRUE(load(*core, {"a"}).ok());
  EXPECT_THAT(served("a"), ElementsAre(1));
  EXPECT_EQ(load(*core, {"nobody"}).code(), Code::kNotFound);
  EXPECT_TRUE(unload(*core, "a").ok());
  EXPECT_THAT(served("a"), IsEmpty());
  EXPECT_EQ(unload(*core, "nobody").code(), Code::kNotFound);
  wait_for([&] { return alive_ == 1 && state("a") == VersionState::kUnavailable; });
  EXPECT_EQ(reason("a"), "unloaded");
  EXPECT_TRUE(core->all_ready());
}

TEST_F(ControllerSwapTest, AnUnloadEndsTheUnpackingOfItsModel) {
  ControlSettings control = mode(ControlMode::kExplicit);
  control.remote.cache_directory = folder_ / "cache";
  const auto pack = [&](std::string rest) {
    return make_archive(folder_, ArchiveKind::kTarGz, {{"a/model.onnx", '0', "x"}, {"a/rest", '0', std::move(rest)}},
                        "a.tar.gz");
  };
  const auto core = make(control, {pack("")});
  ASSERT_TRUE(load(*core, {"a"}).ok());
  const auto unpacks = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache/partial"))
      if (entry.path().filename().string().starts_with("unpack-")) return true;
    return false;
  };
  // One that is over before it is seen to be under way tells nothing.
  for (size_t attempt = 0; attempt < 10; ++attempt) {
    pack(std::string((size_t{256} << 20) + attempt, '\0'));
    std::promise<Status> told;
    auto loaded = told.get_future();
    core->load({"a"}, [&](const Status& status) { told.set_value(status); });
    const auto is_over = [&] { return loaded.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    wait_for([&] { return unpacks() || is_over(); });
    EXPECT_TRUE(unload(*core, "a").ok());
    const Status status = loaded.get();
    EXPECT_FALSE(unpacks()) << "what was begun is removed";
    if (!status.ok()) {
      EXPECT_EQ(status.code(), Code::kCancelled) << status.to_string();
      return;
    }
  }
  FAIL() << "it was never under way";
}

TEST_F(ControllerSwapTest, NobodyLoadsWherePollingDecides) {
  const auto core = make(mode(ControlMode::kPoll), {folder_.write("a.onnx")});
  EXPECT_EQ(load(*core, {"a"}).code(), Code::kUnavailable);
  EXPECT_EQ(unload(*core, "a").code(), Code::kUnavailable);
  EXPECT_THAT(served("a"), ElementsAre(1));
}

TEST_F(ControllerSwapTest, ModelsComeAndGoWithTheirFiles) {
  folder_.write("a.onnx");
  const auto core = make({}, {folder_.path()});
  folder_.write("b.onnx");
  look(*core);
  wait_for([&] { return served("b") == std::vector<int64_t>{1}; });
  std::filesystem::remove(folder_ / "a.onnx");
  look(*core);
  wait_for([&] { return alive_ == 1 && catalog_.table()->find("a") == nullptr; });
  folder_.write("a.onnx");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{1}; });
}

TEST_F(ControllerSwapTest, OfAListOnlyWhatChangedIsLoadedAgain) {
  const auto entry = [this](const std::string& name, const std::string& more) {
    folder_.write(name + "/1/model.onnx");
    return "  - {name: " + name + more + "}\n";
  };
  const std::string a = entry("a", ""), b = entry("b", "");
  const std::string file = folder_.write("modelmill.yaml", "models:\n" + a + b);
  const auto core = make({}, {file});
  EXPECT_EQ(backends_.log.loads, 2);
  // Another entry, another line number of "b", a remark.
  folder_.write("modelmill.yaml", "# three\nmodels:\n" + a + entry("c", "") + b);
  look(*core);
  wait_for([&] { return served("c") == std::vector<int64_t>{1}; });
  EXPECT_EQ(backends_.log.loads, 3);
  folder_.write("modelmill.yaml", "models:\n" + a + entry("c", ", instance_threads: 2") + b);
  look(*core);
  wait_for([&] { return backends_.log.loads == 4 && alive_ == 3; });
  EXPECT_TRUE(core->look(now_)) << "it is at rest";
  EXPECT_EQ(backends_.log.load_arguments.back().model, "c");
}

TEST_F(ControllerSwapTest, WhatIsSaidOfVersionsAndTheirNamesLoadsNoneAgain) {
  for (const char* version : {"1", "2", "3"}) folder_.write(std::string("a/") + version + "/model.onnx");
  const std::string file = folder_.write("a/modelmill.yaml", "versions: {latest: 2}\nlabels: {stable: 2}\n");
  const auto core = make({}, {folder_ / "a"});
  EXPECT_THAT(served("a"), ElementsAre(2, 3));
  folder_.write("a/modelmill.yaml", "versions: {latest: 2}\nlabels: {stable: 3}\ndefault_version: 2\n");
  look(*core);
  EXPECT_EQ(catalog_.table()->find("a")->labels.at("stable"), 3);
  EXPECT_EQ((*catalog_.pin("a", 0))->version(), 2);
  EXPECT_EQ(backends_.log.loads, 2);
  folder_.write("a/modelmill.yaml", "versions: all\n");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{1, 2, 3}; });
  EXPECT_EQ(backends_.log.loads, 3);
}

TEST_F(ControllerSwapTest, AModelThatComesLaterAndIsBrokenLeavesTheServerReady) {
  folder_.write("a.onnx");
  const auto core = make({}, {folder_.path()});
  folder_.write("corrupt.onnx");
  look(*core);
  wait_for(
      [&] { return catalog_.table()->find("corrupt") != nullptr && state("corrupt") == VersionState::kUnavailable; });
  EXPECT_THAT(reason("corrupt"), HasSubstr("is corrupt"));
  EXPECT_TRUE(core->all_ready());
}

TEST_F(ControllerSwapTest, WhatCannotBeLookedAtIsServedOn) {
  const auto core = make({}, {folder_.write("x/a.onnx"), folder_.write("b.onnx")});
  std::filesystem::remove_all(folder_ / "x");
  EXPECT_TRUE(core->look(now_));
  EXPECT_TRUE(core->look(now_ += std::chrono::seconds(2)));
  EXPECT_THAT(served("a"), ElementsAre(1));
}

class OnDemandTest : public ControllerSwapTest {
 protected:
  Status ask(const std::string& model) {
    EXPECT_TRUE(catalog_.loads_on_demand(model));
    std::promise<Status> done;
    demand_.wait(
        {model, kNever, nullptr, 0,
         [&](const Status& status) { done.set_value(status.ok() ? catalog_.pin(model, 0).status() : status); }},
        Clock::now());
    return done.get_future().get();
  }
};

TEST_F(OnDemandTest, TheFirstRequestLoads) {
  ControlSettings control;
  control.on_demand = true;
  const auto core = make(control, {folder_.write("a.onnx"), folder_.write("broken.onnx")});
  EXPECT_EQ(backends_.log.loads, 0);
  EXPECT_TRUE(core->all_ready());
  EXPECT_TRUE(ask("a").ok());
  EXPECT_FALSE(catalog_.loads_on_demand("a"));
  EXPECT_THAT(ask("broken").message(), HasSubstr("is corrupt"));
  EXPECT_THAT(ask("broken").message(), HasSubstr("is corrupt"));
  EXPECT_EQ(backends_.log.loads, 2) << "a broken model is not loaded for each request";
}

TEST_F(OnDemandTest, TheLeastRecentlyUsedIsPutAwayAndComesBack) {
  for (const char* name : {"a", "b", "c"}) backends_.models[name].info.memory_bytes = 600 << 20;
  ControlSettings control;
  control.on_demand = true;
  control.memory_budget = uint64_t{1300} << 20;
  const auto core = make(control, {folder_.write("a.onnx"), folder_.write("b.onnx"), folder_.write("c.onnx")});
  EXPECT_TRUE(ask("a").ok());
  EXPECT_TRUE(ask("b").ok());
  EXPECT_TRUE(ask("c").ok());
  wait_for([&] { return alive_ == 2; });
  EXPECT_THAT(served("c"), ElementsAre(1));
  const std::string away = served("a").empty() ? "a" : "b";
  wait_for([&] { return reason(away) == "put away to make room; it loads at the next request"; });
  EXPECT_TRUE(ask(away).ok());
  EXPECT_THAT(served(away), ElementsAre(1));
}

TEST_F(OnDemandTest, WhatNeverFitsIsRefusedWithTheNumbers) {
  const std::string file = folder_.write("a.onnx", std::string(4'000, 'x'));
  ControlSettings control;
  control.on_demand = true;
  control.memory_budget = 1'000;
  const auto core = make(control, {file});
  const Status refused = ask("a");
  EXPECT_THAT(refused.message(), HasSubstr("model 'a' needs 3.9 KiB"));
  EXPECT_EQ(backends_.log.loads, 0);
}

}  // namespace
}  // namespace modelmill
