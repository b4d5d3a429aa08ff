#include "server/code_control.h"

#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "catalog/testing/no_model_control.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Loads that are over when the test says so.
class Loads final : public testing::NoModelControl {
 public:
  void load(ModelLoad load, Done done) override {
    EXPECT_TRUE(load.for_code);
    begun.push_back(load);
    open[load.model].push_back(std::move(done));
  }
  void unload(ModelUnload unload, Done done) override {
    EXPECT_TRUE(unload.for_code);
    unloaded.push_back(unload.model + (unload.with_members ? " and all" : ""));
    done(ok_status());
  }
  void finish(const std::string& model) {
    for (const Done& done : std::exchange(open[model], {})) done(ok_status());
  }

  std::vector<ModelLoad> begun;
  std::vector<std::string> unloaded;
  std::map<std::string, std::vector<Done>> open;
};

class CodeControlTest : public ::testing::Test {
 protected:
  Status load(const std::string& caller, const std::string& model) {
    Status said = ok_status();
    control_.change({ModelChange::Action::kLoad, caller, model}, [&said](const Status& status) { said = status; });
    return said;
  }

  Catalog catalog_;
  Loads loads_;
  CodeControl control_{catalog_, loads_, ControlMode::kExplicit};
};

TEST_F(CodeControlTest, OnlyWhereClientsAloneDecide) {
  for (const ControlMode mode : {ControlMode::kAuto, ControlMode::kNone, ControlMode::kPoll, ControlMode::kWatch}) {
    CodeControl control(catalog_, loads_, mode);
    for (const auto action : {ModelChange::Action::kLoad, ModelChange::Action::kUnload})
      control.change({action, "a", "b"}, [](const Status& status) {
        EXPECT_EQ(status.code(), Code::kUnavailable);
        EXPECT_THAT(status.message(), HasSubstr("explicit model load / unload is not allowed if polling is enabled"));
      });
  }
  EXPECT_TRUE(loads_.begun.empty());
}

TEST_F(CodeControlTest, HandsOnWhatIsAsked) {
  control_.change({ModelChange::Action::kLoad, "a", "b", "{}", {{"1/model.x", "abc"}}}, [](const Status&) {});
  control_.change({ModelChange::Action::kUnload, "a", "c"}, [](const Status& status) { EXPECT_TRUE(status.ok()); });
  ASSERT_EQ(loads_.begun.size(), 1u);
  EXPECT_EQ(loads_.begun[0].model, "b");
  EXPECT_EQ(loads_.begun[0].config_json, "{}");
  EXPECT_THAT(loads_.begun[0].files, ElementsAre(::testing::Pair("1/model.x", "abc")));
  control_.change({ModelChange::Action::kUnloadWithMembers, "a", "d"}, [](const Status&) {});
  EXPECT_THAT(loads_.unloaded, ElementsAre("c", "d and all"));
}

TEST_F(CodeControlTest, WhatWouldWaitForItselfIsRefused) {
  EXPECT_THAT(load("a", "a").message(), HasSubstr("can't load itself while it is loaded"));
  EXPECT_TRUE(load("a", "b").ok());
  EXPECT_TRUE(load("b", "c").ok());
  const Status refused = load("c", "a");
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_EQ(refused.message(), "model 'c' can't wait for model 'a' to be loaded, which waits for 'c' itself");
  EXPECT_TRUE(load("c", "d").ok());
  EXPECT_TRUE(load("e", "a").ok());
  loads_.finish("b");
  EXPECT_TRUE(load("c", "a").ok()) << "nobody waits in a circle any more";
}

TEST_F(CodeControlTest, TwoWaitsForTheSame) {
  EXPECT_TRUE(load("a", "b").ok());
  EXPECT_TRUE(load("a", "b").ok());
  loads_.finish("b");
  EXPECT_TRUE(load("b", "a").ok());
}

}  // namespace
}  // namespace modelmill
