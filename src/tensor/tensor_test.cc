#include "tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(DtypeTest, NamesReadBack) {
  for (int i = 1; i <= 14; ++i) {
    const auto dtype = static_cast<DataType>(i);
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
    EXPECT_EQ(dtype_config_name(dtype).substr(0, 5), "TYPE_");
    EXPECT_EQ(dtype_size(dtype) == 0, dtype == DataType::kBytes);
  }
  EXPECT_EQ(dtype_config_name(DataType::kBytes), "TYPE_STRING");
  EXPECT_EQ(dtype_size(DataType::kBf16), 2u);
  for (const char* text : {"", "fp32", "FLOAT", "<invalid>", "FP32 "}) EXPECT_EQ(parse_dtype(text), std::nullopt);
  EXPECT_EQ(dtype_name(static_cast<DataType>(99)), "<invalid>");
}

TEST(ShapeTest, ElementCounts) {
  using V = std::vector<int64_t>;
  EXPECT_EQ(element_count(V{}), 1);
  EXPECT_EQ(element_count(V{2, 3, 4}), 24);
  EXPECT_EQ(element_count(V{0, 5}), 0);
  EXPECT_EQ(element_count(V{-1, 5}), std::nullopt);
  EXPECT_EQ(element_count(V{int64_t{1} << 32, int64_t{1} << 31}), std::nullopt);
  EXPECT_EQ(element_count(V{std::numeric_limits<int64_t>::max(), 1}), std::numeric_limits<int64_t>::max());
}

TEST(ShapeTest, PatternsAndText) {
  using V = std::vector<int64_t>;
  EXPECT_TRUE(shape_matches(V{-1, 3}, V{7, 3}));
  EXPECT_FALSE(shape_matches(V{-1, 3}, V{7, 4}));
  EXPECT_FALSE(shape_matches(V{-1, 3}, V{7, 3, 1}));
  EXPECT_TRUE(shape_matches(V{}, V{}));
  EXPECT_EQ(shape_text(V{1, 3, -1}), "[1,3,-1]");
  EXPECT_EQ(shape_text(V{}), "[]");
}

Tensor tensor_of(DataType dtype, Shape shape, std::vector<std::string> chunks) {
  Tensor tensor;
  tensor.name = "x";
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  for (std::string& chunk : chunks) tensor.data.push_back(Bytes::from_string(std::move(chunk)));
  return tensor;
}

std::string length_prefixed(std::string_view text) {
  const auto n = static_cast<uint32_t>(text.size());
  std::string out(reinterpret_cast<const char*>(&n), 4);
  return out += text;
}

TEST(TensorTest, ChunksAsOnePiece) {
  const Tensor one = tensor_of(DataType::kUint8, {3}, {"abc"});
  EXPECT_EQ(one.contiguous().data(), one.data[0].data()) << "not copied";
  const Tensor many = tensor_of(DataType::kUint8, {6}, {"ab", "", "cdef"});
  EXPECT_EQ(many.contiguous().view(), "abcdef");
  EXPECT_EQ(many.byte_size(), 6u);
  EXPECT_EQ(Tensor().contiguous().size(), 0u);
}

TEST(TensorTest, BytesMustMatchTypeAndShape) {
  EXPECT_TRUE(check_tensor_bytes(tensor_of(DataType::kFp32, {2}, {"12345678"})).ok());
  EXPECT_TRUE(check_tensor_bytes(tensor_of(DataType::kFp32, {0}, {})).ok());
  const Status few = check_tensor_bytes(tensor_of(DataType::kFp32, {3}, {"12345678"}));
  EXPECT_EQ(few.message(), "tensor 'x' has type FP32 and shape [3], so 12 bytes were expected, but got 8");
  EXPECT_FALSE(check_tensor_bytes(tensor_of(DataType::kFp32, {-1}, {"1234"})).ok());
  EXPECT_FALSE(check_tensor_bytes(tensor_of(DataType::kFp64, {int64_t{1} << 62}, {"1234"})).ok()) << "overflow";
  EXPECT_FALSE(check_tensor_bytes(tensor_of(DataType::kFp64, {int64_t{1} << 62, 4}, {})).ok());
}

TEST(TensorTest, StringsMustWalkToTheEnd) {
  const std::string two = length_prefixed("ab") + length_prefixed("");
  EXPECT_TRUE(check_tensor_bytes(tensor_of(DataType::kBytes, {2}, {two})).ok());
  EXPECT_TRUE(check_tensor_bytes(tensor_of(DataType::kBytes, {2}, {two.substr(0, 3), two.substr(3)})).ok());
  EXPECT_TRUE(check_tensor_bytes(tensor_of(DataType::kBytes, {0}, {})).ok());
  const auto message = [](int64_t n, const std::string& bytes) {
    return check_tensor_bytes(tensor_of(DataType::kBytes, {n}, {bytes})).message();
  };
  EXPECT_THAT(message(3, two), HasSubstr("3 strings were expected, but the data holds 2"));
  EXPECT_THAT(message(1, two), HasSubstr("1 strings were expected"));
  EXPECT_THAT(message(1, std::string("\x05\0\0", 3)), HasSubstr("cut off inside its 4-byte length"));
  EXPECT_THAT(message(1, std::string("\x05\0\0\0abc", 7)), HasSubstr("says it has 5 bytes, but only 3 are left"));
  EXPECT_FALSE(message(1, std::string("\xff\xff\xff\xff", 4)).empty());
}

}  // namespace
}  // namespace modelmill
