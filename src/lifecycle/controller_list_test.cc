// The lists of models that TensorFlow Serving's clients send.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lifecycle/code_trust.h"
#include "lifecycle/lies_in.h"
#include "lifecycle/testing/controller_rig.h"
#include "tf_serving_config.pb.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ControllerListTest : public ControllerSwapTest {
 protected:
  ControllerListTest() {
    for (const char* name : {"a", "b", "c"})
      for (const char* version : {"1", "2"}) folder_.write("base/" + std::string(name) + "/" + version + "/model.onnx");
  }
  tf_serving::ModelConfig& add(const std::string& name, const std::string& folder) {
    auto& entry = *list_.mutable_model_config_list()->add_config();
    entry.set_name(name);
    entry.set_base_path(folder_ / folder);
    return entry;
  }
  Status send(ControllerCore& core) {
    std::promise<Status> done;
    core.serve_listed(read_tf_serving_config(list_), [&](const Status& status) { done.set_value(status); });
    list_.Clear();
    return done.get_future().get();
  }

  tf_serving::ModelServerConfig list_;
};

TEST_F(ControllerListTest, TheListTakesThePlaceOfWhatWasServed) {
  const auto core = make({}, {folder_ / "base/a", folder_ / "base/b"});
  EXPECT_EQ(backends_.log.loads, 2);
  add("b", "base/b");
  add("c", "base/c").mutable_model_version_policy()->mutable_all();
  const Status status = send(*core);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(served("b"), ElementsAre(2));
  EXPECT_THAT(served("c"), ElementsAre(1, 2));
  EXPECT_THAT(served("a"), IsEmpty());
  wait_for([&] { return alive_ == 3 && catalog_.table()->find("a") == nullptr; });
  EXPECT_EQ(backends_.log.loads, 4) << "b was left alone";
  EXPECT_TRUE(core->all_ready());
  // It is what is looked at from then on.
  folder_.write("base/b/3/model.onnx");
  folder_.write("base/a/3/model.onnx");
  look(*core);
  wait_for([&] { return served("b") == std::vector<int64_t>{3}; });
  EXPECT_EQ(catalog_.table()->find("a"), nullptr);
  EXPECT_EQ(load(*core, {"a"}).code(), Code::kNotFound);
  list_.mutable_model_config_list();
  EXPECT_TRUE(send(*core).ok());
  wait_for([&] { return alive_ == 0 && catalog_.table()->empty(); });
}

TEST_F(ControllerListTest, LabelsMoveWithoutALoad) {
  const auto core = make(mode(ControlMode::kExplicit), {folder_ / "base"});
  const auto with_stable = [&](int64_t version) {
    auto& entry = add("a", "base/a");
    entry.mutable_model_version_policy()->mutable_all();
    (*entry.mutable_version_labels())["stable"] = version;
    return send(*core);
  };
  ASSERT_TRUE(with_stable(1).ok());
  EXPECT_EQ(catalog_.table()->find("a")->labels.at("stable"), 1);
  ASSERT_TRUE(with_stable(2).ok());
  EXPECT_EQ(catalog_.table()->find("a")->labels.at("stable"), 2);
  const Status refused = with_stable(3);
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("nothing is changed: label 'stable' of model 'a' is version 3"));
  EXPECT_EQ(catalog_.table()->find("a")->labels.at("stable"), 2);
  EXPECT_EQ(backends_.log.loads, 2);
}

TEST_F(ControllerListTest, AListThatCannotBeFollowedChangesNothing) {
  const auto core = make({}, {folder_ / "base/a"});
  add("b", "base/b");
  add("c", "base/nowhere");
  EXPECT_THAT(send(*core).message(), HasSubstr("nothing is changed: model_config_list.config[1]: base_path: "));
  add("b", "base/b");
  add("b", "base/c");
  EXPECT_EQ(send(*core).code(), Code::kAlreadyExists);
  EXPECT_EQ(send(*core).code(), Code::kInvalidArgument) << "no list at all";
  add("b", "base/b").mutable_model_version_policy()->mutable_specific()->add_versions(7);
  EXPECT_THAT(send(*core).message(), HasSubstr("at least one version must be available"));
  add("../b", "base/b");
  EXPECT_EQ(send(*core).code(), Code::kInvalidArgument);
  EXPECT_THAT(served("a"), ElementsAre(2));
  EXPECT_THAT(served("b"), IsEmpty());
}

TEST_F(ControllerListTest, WhatFailsIsToldAndTheOthersServe) {
  const auto core = make({}, {folder_ / "base/a"});
  folder_.write("base/corrupt/1/model.onnx");
  add("b", "base/b");
  add("corrupt", "base/corrupt");
  const Status status = send(*core);
  EXPECT_THAT(status.message(), HasSubstr("the file of model 'corrupt' is corrupt"));
  EXPECT_THAT(served("b"), ElementsAre(2));
  EXPECT_TRUE(core->all_ready());
  // It is tried again when its files change.
  backends_.models["corrupt"] = backends_.models["a"];
  folder_.write("base/corrupt/1/model.onnx", "mended");
  look(*core);
  wait_for([&] { return served("corrupt") == std::vector<int64_t>{1}; });
}

TEST_F(ControllerListTest, WhatAClientUnloadedIsServedAgainWhenItIsListed) {
  const auto core = make({}, {folder_ / "base/a"});
  ASSERT_TRUE(unload(*core, "a").ok());
  add("a", "base/a");
  EXPECT_TRUE(send(*core).ok());
  EXPECT_THAT(served("a"), ElementsAre(2));
}

TEST_F(ControllerListTest, NobodyListsWherePollingDecides) {
  const auto core = make(mode(ControlMode::kPoll), {folder_ / "base/a"});
  add("b", "base/b");
  EXPECT_EQ(send(*core).code(), Code::kUnavailable);
  EXPECT_THAT(served("a"), ElementsAre(2));
}

TEST_F(ControllerListTest, CodeOutsideTheOperatorsFoldersIsTheClients) {
  const auto core = make({}, {folder_ / "base/a"});
  const auto reason_of_code = [&](const std::string& base) {
    std::filesystem::remove(folder_ / (base + "/2/model.onnx"));
    add("a", base).set_model_platform("pytorch_libtorch");
    backends_.others["pytorch"]["a"] = backends_.models["a"];
    return send(*core).message();
  };
  folder_.write("base/a/3/model.pytorch", "x/data/aotinductor/model/code.so");
  folder_.write("base/b/3/model.pytorch",
                std::string(size_t{1} << 20, ' ').replace((1 << 20) - 4, 4, "data") + "/aotinductor/model/code.so");
  EXPECT_EQ(reason_of_code("base/a"), "");
  EXPECT_THAT(reason_of_code("base/b"), HasSubstr("is native code, which is not taken from where a client says"));
}

TEST(LiesIn, ComparesWholePartsWhereverLinksLead) {
  const TempFolder folder;
  folder.write("a/b/c");
  std::filesystem::create_directory_symlink(folder / "a", folder / "link");
  EXPECT_TRUE(lies_in(folder / "a/b", folder / "a/"));
  EXPECT_TRUE(lies_in(folder / "link/b/missing", folder / "a"));
  EXPECT_TRUE(lies_in(folder / "a", folder / "a"));
  EXPECT_FALSE(lies_in(folder / "ab", folder / "a"));
  EXPECT_FALSE(lies_in(folder / "a/../b", folder / "a"));
  EXPECT_FALSE(lies_in(folder / "a", ""));
  EXPECT_FALSE(lies_in("", folder / "a"));
}

}  // namespace
}  // namespace modelmill
