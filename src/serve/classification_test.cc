#include "serve/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace modelmill {
namespace {

template <typename T>
Tensor tensor(DataType dtype, Shape shape, const std::vector<T>& values) {
  Tensor t;
  t.name = "y";
  t.dtype = dtype;
  t.shape = std::move(shape);
  t.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)}));
  return t;
}

std::vector<std::string> strings(const Tensor& t) {
  std::vector<std::string> out;
  std::string_view left = t.data[0].view();
  while (!left.empty()) {
    uint32_t n = 0;
    std::memcpy(&n, left.data(), 4);
    out.emplace_back(left.substr(4, n));
    left.remove_prefix(4 + n);
  }
  return out;
}

TEST(Classification, RowsKeepTheirBatchDimension) {
  const Tensor t = tensor<float>(DataType::kFp32, {2, 3}, {0.1f, 0.7f, 0.2f, 3, 1, 2});
  const Tensor c = classify(t, 2, true, {"cat", "dog"}).value();
  EXPECT_EQ(c.dtype, DataType::kBytes);
  EXPECT_EQ(shape_text(dims(c.shape)), "[2,2]");
  EXPECT_THAT(strings(c), ::testing::ElementsAre("0.700000:1:dog", "0.200000:2", "3.000000:0:cat", "2.000000:2"));
}

TEST(Classification, WithoutABatchDimensionOverAllElements) {
  const Tensor t = tensor<int32_t>(DataType::kInt32, {2, 2}, {5, -1, 9, 9});
  const Tensor c = classify(t, 10, false, {}).value();
  EXPECT_EQ(shape_text(dims(c.shape)), "[4]");
  EXPECT_THAT(strings(c), ::testing::ElementsAre("9:2", "9:3", "5:0", "-1:1"));
}

TEST(Classification, NanIsLast) {
  const Tensor t = tensor<float>(DataType::kFp32, {3}, {std::nanf(""), 1, INFINITY});
  EXPECT_THAT(strings(classify(t, 3, false, {}).value()), ::testing::ElementsAre("inf:2", "1.000000:1", "nan:0"));
}

TEST(Classification, HalfPrecision) {
  const Tensor t = tensor<uint16_t>(DataType::kFp16, {1, 2}, {0x3c00, 0x4000});
  EXPECT_THAT(strings(classify(t, 1, true, {}).value()), ::testing::ElementsAre("2.000000:1"));
}

TEST(Classification, Refusals) {
  EXPECT_THAT(classify(tensor<uint8_t>(DataType::kBool, {1}, {1}), 1, false, {}).status().message(),
              ::testing::HasSubstr("unsupported type 'BOOL'"));
  Tensor large = tensor<uint8_t>(DataType::kUint8, {2'000'000}, std::vector<uint8_t>(2'000'000));
  EXPECT_THAT(classify(large, 1, false, {}).status().message(), ::testing::HasSubstr("too large"));
  EXPECT_EQ(classify(tensor<float>(DataType::kFp32, {3}, {1}), 1, false, {}).status().code(), Code::kInternal);
}

TEST(Classification, NoRows) {
  const Tensor c = classify(tensor<float>(DataType::kFp32, {0, 3}, {}), 2, true, {}).value();
  EXPECT_EQ(shape_text(dims(c.shape)), "[0,2]");
  EXPECT_TRUE(c.data[0].empty());
}

}  // namespace
}  // namespace modelmill
