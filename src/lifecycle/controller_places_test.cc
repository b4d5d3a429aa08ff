#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "lifecycle/testing/controller_rig.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

/// A folder with files of the models a and b, and a server that has loaded neither.
class ControllerPlacesTest : public ControllerCoreTest {
 protected:
  ControllerPlacesTest() {
    folder_.write("a.onnx");
    folder_.write("b.onnx");
    folder_.write("inside/c.onnx");
  }
  std::unique_ptr<ControllerCore> start(ControlMode mode) {
    ControlSettings control;
    control.mode = mode;
    auto core = std::make_unique<ControllerCore>(parts(), LoadSettings{}, control, 2);
    EXPECT_TRUE(core->load_sources({{folder_.path()}}).ok());
    return core;
  }

  static Result<AddedModel> add(ControllerCore& core, const std::string& place, const std::string& model = "") {
    std::promise<Result<AddedModel>> done;
    core.add({place, model}, [&](Result<AddedModel> added) { done.set_value(std::move(added)); });
    return done.get_future().get();
  }
  template <typename Begin>
  static Status wait(Begin begin) {
    std::promise<Status> done;
    begin([&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
};

TEST_F(ControllerPlacesTest, ServesWhatLiesInAFolder) {
  const auto core = start(ControlMode::kExplicit);
  EXPECT_EQ(alive_, 0);
  const auto added = add(*core, "a.onnx");
  ASSERT_TRUE(added.ok()) << added.status().to_string();
  EXPECT_EQ(added->model, "a");
  EXPECT_EQ(added->version, 1);
  EXPECT_TRUE(catalog_.pin("a", 1).ok());
  EXPECT_EQ(core->place("a", 1)->file, "a.onnx");
  EXPECT_EQ(add(*core, "a.onnx").status().code(), Code::kAlreadyExists);
  ASSERT_TRUE(add(*core, "b.onnx", "c").ok());
  EXPECT_TRUE(catalog_.pin("c", 0).ok());
  EXPECT_FALSE(catalog_.pin("b", 0).ok()) << "it has another name";
  EXPECT_EQ(alive_, 2);
}

TEST_F(ControllerPlacesTest, LeavesNoFolderAndFollowsNoUrl) {
  const auto core = start(ControlMode::kExplicit);
  for (const char* place : {"", ".", "..", "../a.onnx", "inside/c.onnx", "/etc/passwd", "nothing.onnx"})
    EXPECT_EQ(add(*core, place).status().code(), Code::kNotFound) << place;
  EXPECT_EQ(add(*core, "https://example.org/a.onnx").status().code(), Code::kPermissionDenied);
  EXPECT_EQ(add(*core, "a.onnx", "no/name").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(alive_, 0);
}

TEST_F(ControllerPlacesTest, WhatFailsIsNotServed) {
  folder_.write("corrupt.onnx");
  const auto core = start(ControlMode::kExplicit);
  EXPECT_THAT(add(*core, "corrupt.onnx").status().message(), HasSubstr("corrupt"));
  EXPECT_FALSE(catalog_.pin("corrupt", 0).ok());
  EXPECT_TRUE(core->all_ready()) << "nobody misses it";
}

TEST_F(ControllerPlacesTest, TakesOneVersionOfSeveral) {
  for (const char* number : {"1", "2"}) folder_.write(std::string("c/") + number + "/model.onnx");
  folder_.write("c/config.pbtxt", "version_policy { all { } }");
  const auto core = start(ControlMode::kAuto);
  ASSERT_TRUE(catalog_.pin("c", 1).ok());
  EXPECT_EQ(core->place("c", 1)->file, "c");
  EXPECT_TRUE(wait([&](auto done) { core->withdraw("c", 1, done); }).ok());
  EXPECT_FALSE(catalog_.pin("c", 1).ok());
  EXPECT_TRUE(catalog_.pin("c", 2).ok());
  EXPECT_EQ(wait([&](auto done) { core->withdraw("c", 1, done); }).code(), Code::kNotFound);
  EXPECT_EQ(wait([&](auto done) { core->withdraw("c", 2, done); }).code(), Code::kFailedPrecondition);
  EXPECT_TRUE(core->look(Clock::now()));
  EXPECT_FALSE(catalog_.pin("c", 1).ok()) << "files no longer decide";
}

TEST_F(ControllerPlacesTest, ChangesTheNumberOfInstances) {
  const auto core = start(ControlMode::kAuto);
  const auto scale = [&](int min, int max, const char* model = "a") {
    return wait([&](auto done) { core->scale({model, 0, min, max}, done); });
  };
  EXPECT_TRUE(scale(3, 5).ok());
  EXPECT_EQ(catalog_.pin("a", 0).value()->load().instances, 3);
  EXPECT_EQ(core->place("a", 1)->instances.min, 3);
  EXPECT_EQ(core->place("a", 1)->instances.max, 5);
  EXPECT_TRUE(scale(0, 2).ok());
  EXPECT_EQ(catalog_.pin("a", 0).value()->load().instances, 2);
  EXPECT_EQ(scale(-1, 0).code(), Code::kInvalidArgument);
  EXPECT_EQ(scale(0, 0).code(), Code::kFailedPrecondition) << "a version of this kind has none to give up";
  EXPECT_EQ(scale(3, 2).code(), Code::kInvalidArgument);
  EXPECT_EQ(scale(1, 1, "none").code(), Code::kNotFound);
}

TEST_F(ControllerPlacesTest, WhoMayNotLoadMayNotDoThis) {
  const auto core = start(ControlMode::kNone);
  EXPECT_EQ(add(*core, "a.onnx").status().code(), Code::kUnavailable);
  EXPECT_EQ(wait([&](auto done) { core->withdraw("a", 1, done); }).code(), Code::kUnavailable);
  EXPECT_EQ(wait([&](auto done) { core->scale({"a", 0, 2, 2}, done); }).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace modelmill
