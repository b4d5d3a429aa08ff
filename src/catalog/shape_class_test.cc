#include "catalog/shape_class.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <tuple>

namespace modelmill {
namespace {

using Input = std::tuple<const char*, DataType, std::initializer_list<int64_t>>;

InferRequestPtr request_of(std::initializer_list<Input> inputs) {
  auto request = std::make_unique<InferRequest>(nullptr);
  for (const auto& [name, dtype, shape] : inputs) {
    Tensor tensor;
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.shape = shape;
    request->inputs.push_back(std::move(tensor));
  }
  return request;
}

constexpr auto kF = DataType::kFp32;
constexpr auto kI = DataType::kInt64;

void expect_same(const InferRequestPtr& a, const InferRequestPtr& b, bool same) {
  EXPECT_EQ(same_shape_class(*a, *b), same);
  EXPECT_EQ(same_shape_class(*b, *a), same);
  EXPECT_EQ(shape_class_hash(*a) == shape_class_hash(*b), same);
}

TEST(ShapeClassTest, RowsDoNotMatterOtherSizesDo) {
  const auto base = request_of({{"x", kF, {1, 3, 48}}});
  expect_same(base, request_of({{"x", kF, {1, 3, 48}}}), true);
  expect_same(base, request_of({{"x", kF, {7, 3, 48}}}), true);
  expect_same(base, request_of({{"x", kF, {1, 3, 49}}}), false);
  expect_same(base, request_of({{"x", kF, {1, 48, 3}}}), false);
  expect_same(base, request_of({{"x", kF, {1, 3}}}), false);
  expect_same(base, request_of({{"x", kI, {1, 3, 48}}}), false);
  expect_same(base, request_of({{"y", kF, {1, 3, 48}}}), false);
}

TEST(ShapeClassTest, TheSetOfInputsMattersTheirOrderDoesNot) {
  const auto two = request_of({{"x", kF, {1, 3}}, {"y", kI, {1, 5}}});
  expect_same(two, request_of({{"y", kI, {4, 5}}, {"x", kF, {4, 3}}}), true);
  expect_same(two, request_of({{"x", kF, {1, 3}}}), false);
  expect_same(two, request_of({{"x", kF, {1, 3}}, {"z", kI, {1, 5}}}), false);
  expect_same(two, request_of({{"x", kF, {1, 5}}, {"y", kI, {1, 3}}}), false);
}

TEST(ShapeClassTest, Scalars) {
  expect_same(request_of({{"x", kF, {}}}), request_of({{"x", kF, {}}}), true);
  expect_same(request_of({{"x", kF, {}}}), request_of({{"x", kF, {1}}}), false);
}

TEST(ShapeClassTest, SignaturesWithOneClass) {
  Signature signature;
  signature.inputs.push_back({.name = "x", .dtype = kF, .shape = {-1, 3}});
  EXPECT_TRUE(has_one_shape_class(signature));
  signature.inputs.push_back({.name = "y", .dtype = kF, .shape = {-1, -1}});
  EXPECT_FALSE(has_one_shape_class(signature));
  signature.inputs.pop_back();
  signature.inputs.push_back({.name = "y", .dtype = kF, .shape = {-1, 2}, .symbols = {}, .optional = true});
  EXPECT_FALSE(has_one_shape_class(signature));
}

}  // namespace
}  // namespace modelmill
