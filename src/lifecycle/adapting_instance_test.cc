#include "lifecycle/adapting_instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/fake_backend.h"

namespace modelmill {
namespace {

using testing::HasSubstr;

struct ReshapeCase {
  Shape from, to, actual;
  bool batched;
  const char* expected;  // empty: does not fit
};

TEST(Reshaped, Table) {
  const ReshapeCase cases[] = {
      {{4}, {2, 2}, {4}, false, "[2,2]"},
      {{4}, {2, 2}, {7, 4}, true, "[7,2,2]"},
      {{1}, {}, {1}, false, "[]"},
      {{1}, {}, {5, 1}, true, "[5]"},
      {{-1, 4}, {-1, 2, 2}, {9, 4}, false, "[9,2,2]"},
      {{2, -1, -1}, {-1, 1, -1}, {3, 2, 5, 6}, true, "[3,5,1,6]"},
      {{4}, {2, 2}, {5}, false, ""},
      {{4}, {2, 2}, {4, 1}, false, ""},
      {{4}, {-1}, {4}, false, ""},
      {{}, {1}, {}, false, "[1]"},
  };
  for (const ReshapeCase& c : cases) {
    const auto shape = reshaped(c.from, c.to, c.actual, c.batched);
    EXPECT_EQ(shape ? shape_text(dims(*shape)) : "", c.expected);
  }
}

ModelDefinition reshaping() {
  ModelDefinition d;
  d.name = "m";
  d.inputs.push_back({"x", DataType::kFp32, {1}, false, false, Shape{}, ""});
  d.outputs.push_back({"y", DataType::kFp32, {1, 2}, false, false, Shape{2}, ""});
  return d;
}

TEST(AdaptingInstance, ShapesChangeOnTheWayInAndOut) {
  FakeLog log;
  std::string seen;
  const FakeCompute compute = [&](const TensorList& inputs) -> Result<TensorList> {
    seen = shape_text(dims(inputs[0].shape));
    const float x = floats_of(inputs[0])[0];
    return TensorList{fake_floats("y", {2}, {x, 2 * x}), fake_floats("z", {1}, {0})};
  };
  auto instance = adapt_instance(std::make_unique<FakeInstance>(compute, log), reshaping(), false);
  const auto answers = run_directly(*instance, "m", 1, {{{fake_floats("x", {1}, {3})}, 1}});
  ASSERT_TRUE(answers[0].ok()) << answers[0].status().to_string();
  EXPECT_EQ(seen, "[]");
  ASSERT_EQ(answers[0]->size(), 1U) << "the output that is not configured is left out";
  EXPECT_EQ(shape_text(dims((*answers[0])[0].shape)), "[1,2]");
  EXPECT_THAT(floats_of((*answers[0])[0]), testing::ElementsAre(3, 6));
}

TEST(AdaptingInstance, WhatDoesNotFitFailsThatRequestOnly) {
  FakeLog log;
  const FakeCompute compute = [](const TensorList&) -> Result<TensorList> {
    return TensorList{fake_floats("y", {3}, {1, 2, 3})};
  };
  auto instance = adapt_instance(std::make_unique<FakeInstance>(compute, log), reshaping(), false);
  const auto wrong_output = run_directly(*instance, "m", 1, {{{fake_floats("x", {1}, {3})}, 1}});
  EXPECT_EQ(wrong_output[0].status().code(), Code::kInternal);
  EXPECT_THAT(wrong_output[0].status().message(), HasSubstr("output 'y' came with shape [3]"));
  const auto wrong_input = run_directly(*instance, "m", 1, {{{fake_floats("x", {2}, {3, 4})}, 1}});
  EXPECT_EQ(wrong_input[0].status().code(), Code::kInvalidArgument);
}

TEST(AdaptingInstance, ErrorsPass) {
  FakeLog log;
  const FakeCompute compute = [](const TensorList&) -> Result<TensorList> { return unavailable("no"); };
  auto instance = adapt_instance(std::make_unique<FakeInstance>(compute, log), reshaping(), false);
  EXPECT_EQ(run_directly(*instance, "m", 1, {{{fake_floats("x", {1}, {3})}, 1}})[0].status().code(),
            Code::kUnavailable);
}

}  // namespace
}  // namespace modelmill
