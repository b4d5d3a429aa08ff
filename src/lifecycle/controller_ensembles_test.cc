// Ensembles come and go with their members.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

/// Is available while its members are there.
class FakeEnsemble final : public ModelVersion {
 public:
  FakeEnsemble(Description description, std::shared_ptr<VersionStats> stats, std::shared_ptr<const EnsemblePlan> plan,
               Catalog& catalog)
      : ModelVersion(std::move(description), std::move(stats)), plan_(std::move(plan)), catalog_(catalog) {}
  void submit(InferRequestPtr request) override { request->fail(internal("not asked for")); }
  Status availability() const override {
    for (const EnsemblePlan::Step& step : plan_->steps)
      MM_RETURN_IF_ERROR(catalog_.pin(step.model, step.version).status());
    return ok_status();
  }

 private:
  const std::shared_ptr<const EnsemblePlan> plan_;
  Catalog& catalog_;
};

constexpr const char* kPipe =
    "platform: 'ensemble' ensemble_scheduling { step [ { model_name: 'a' model_version: -1 "
    "input_map { key: 'x' value: 'in' } output_map { key: 'y' value: 'mid' } }, { model_name: 'b' model_version: -1 "
    "input_map { key: 'x' value: 'mid' } output_map { key: 'y' value: 'out' } } ] }";

class ControllerEnsemblesTest : public ControllerSwapTest {
 protected:
  std::unique_ptr<ControllerCore> make(ControlSettings control) {
    ControllerCore::Parts all = parts();
    all.ensembles = [this](ModelVersion::Description description, std::shared_ptr<VersionStats> stats,
                           std::shared_ptr<const EnsemblePlan> plan) -> std::shared_ptr<ModelVersion> {
      ++made_;
      return std::make_shared<FakeEnsemble>(std::move(description), std::move(stats), std::move(plan), catalog_);
    };
    auto core = std::make_unique<ControllerCore>(std::move(all), LoadSettings{}, std::move(control), 2);
    const Status status = core->load_sources({{folder_.path()}});
    EXPECT_TRUE(status.ok()) << status.to_string();
    return core;
  }
  void write_ensemble(const std::string& name, const std::string& config) {
    folder_.write(name + "/config.pbtxt", config);
    folder_.write(name + "/1/empty");
  }
  bool is_available(const std::string& model) {
    const auto pin = catalog_.pin(model, 0);
    return pin.ok() && (*pin)->availability().ok();
  }
  static Status unload_all(ControllerCore& core, const std::string& model) {
    std::promise<Status> done;
    core.unload({.model = model, .with_members = true}, [&](const Status& status) { done.set_value(status); });
    return done.get_future().get();
  }

  std::atomic<int> made_{0};
};

TEST_F(ControllerEnsemblesTest, LoadsWhenItsMembersHaveWhateverTheirOrder) {
  folder_.write("a/1/model.onnx");
  folder_.write("b/1/model.onnx");
  write_ensemble("0first", kPipe);
  write_ensemble("z",
                 "platform: 'ensemble' ensemble_scheduling { step [ { model_name: '0first' model_version: -1 "
                 "input_map { key: 'in' value: 'in' } output_map { key: 'out' value: 'out' } } ] }");
  const auto core = make({});
  EXPECT_TRUE(core->all_ready());
  EXPECT_EQ(state("0first"), VersionState::kReady) << reason("0first");
  EXPECT_EQ(state("z"), VersionState::kReady) << reason("z");
  EXPECT_TRUE(is_available("z"));
}

TEST_F(ControllerEnsemblesTest, SaysWhatItsMembersLack) {
  folder_.write("a/1/model.onnx");
  folder_.write("corrupt/1/model.onnx");
  write_ensemble("e",
                 "platform: 'ensemble' ensemble_scheduling { step [ { model_name: 'corrupt' model_version: -1 "
                 "input_map { key: 'x' value: 'in' } output_map { key: 'y' value: 'out' } } ] }");
  write_ensemble("lost",
                 "platform: 'ensemble' ensemble_scheduling { step [ { model_name: 'nobody' model_version: -1 "
                 "input_map { key: 'x' value: 'in' } output_map { key: 'y' value: 'out' } } ] }");
  write_ensemble("old",
                 "platform: 'ensemble' ensemble_scheduling { step [ { model_name: 'a' model_version: 9 "
                 "input_map { key: 'x' value: 'in' } output_map { key: 'y' value: 'out' } } ] }");
  for (const char* name : {"one", "two"})
    write_ensemble(name, std::string("platform: 'ensemble' ensemble_scheduling { step [ { model_name: '") +
                             (name[0] == 'o' ? "two" : "one") +
                             "' model_version: -1 input_map { key: 'in' value: 'in' } output_map { key: 'out' value: "
                             "'out' } } ] }");
  const auto core = make({});
  EXPECT_THAT(reason("e"),
              HasSubstr("ensemble 'e' depends on 'corrupt' which has no loaded version. Model 'corrupt' loading "
                        "failed with error: "));
  EXPECT_THAT(reason("lost"), HasSubstr("ensemble 'lost' contains models that are not available: 'nobody'"));
  EXPECT_THAT(reason("old"), HasSubstr("ensemble 'old' depends on 'a' whose required version 9 is not loaded"));
  EXPECT_THAT(reason("one"), HasSubstr("ensemble 'one' is a member of itself by way of 'two'"));
  EXPECT_THAT(reason("two"), HasSubstr("is a member of itself by way of 'one'"));
  EXPECT_FALSE(core->all_ready());
}

TEST_F(ControllerEnsemblesTest, LoadsItsMembersAndUnloadsThoseThatAreItsOwn) {
  folder_.write("a/1/model.onnx");
  folder_.write("b/1/model.onnx");
  write_ensemble("e", kPipe);
  const auto core = make(mode(ControlMode::kExplicit));
  EXPECT_EQ(alive_, 0);
  ASSERT_TRUE(load(*core, {"b"}).ok());
  const Status status = load(*core, {"e"});
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(alive_, 2);
  EXPECT_TRUE(is_available("e"));
  ASSERT_TRUE(unload(*core, "a").ok());
  wait_for([&] { return alive_ == 1; });
  EXPECT_FALSE(is_available("e")) << "a member is missing";
  EXPECT_TRUE(core->all_ready()) << "but a client wanted it so";
  ASSERT_TRUE(load(*core, {"a"}).ok());
  wait_for([&] { return is_available("e") && made_ == 2; });
  ASSERT_TRUE(unload(*core, "e").ok());
  EXPECT_EQ(alive_, 2) << "members stay";
  ASSERT_TRUE(load(*core, {"e"}).ok());
  ASSERT_TRUE(unload_all(*core, "e").ok());
  EXPECT_EQ(served("e").size(), 0U);
  EXPECT_EQ(served("a").size(), 1U) << "a client asked for it";
  EXPECT_EQ(served("b").size(), 1U);
}

TEST_F(ControllerEnsemblesTest, MembersThatWereLoadedForItGoWithIt) {
  folder_.write("a/1/model.onnx");
  folder_.write("b/1/model.onnx");
  write_ensemble("e", kPipe);
  const auto core = make(mode(ControlMode::kExplicit));
  ASSERT_TRUE(load(*core, {"e"}).ok());
  EXPECT_EQ(alive_, 2);
  ASSERT_TRUE(unload_all(*core, "e").ok());
  wait_for([&] { return alive_ == 0; });
  ASSERT_TRUE(load(*core, {"e"}).ok());
  EXPECT_EQ(alive_, 2);
}

TEST_F(ControllerEnsemblesTest, FollowsItsMembers) {
  folder_.write("a/1/model.onnx");
  folder_.write("b/1/model.onnx");
  write_ensemble("e", kPipe);
  const auto core = make(mode(ControlMode::kPoll));
  EXPECT_EQ(made_, 1);
  folder_.write("a/2/model.onnx");
  look(*core);
  wait_for([&] { return served("a") == std::vector<int64_t>{2} && made_ == 2; });
  wait_for([&] { return state("e") == VersionState::kReady && is_available("e"); });
}

TEST_F(ControllerEnsemblesTest, FollowsWhatAMembersNameStandsFor) {
  folder_.write("a/1/model.onnx");
  folder_.write("a/2/model.onnx");
  folder_.write("a/modelmill.yaml", "versions: {latest: 2}\n");
  folder_.write("b/1/model.onnx");
  write_ensemble("e", kPipe);
  const auto core = make(mode(ControlMode::kPoll));
  EXPECT_EQ(made_, 1);
  std::promise<Status> done;
  core->assign({"a", "", 1, false}, [&](const Status& status) { done.set_value(status); });
  ASSERT_TRUE(done.get_future().get().ok());
  wait_for([&] { return made_ == 2 && state("e") == VersionState::kReady; });
}

}  // namespace
}  // namespace modelmill
