#include "model/tf_tensor_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace modelmill {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

tensorflow::TensorProto proto_of(int32_t dtype, const std::vector<int64_t>& shape) {
  tensorflow::TensorProto out;
  out.set_dtype(static_cast<tensorflow::DataType>(dtype));
  for (const int64_t size : shape) out.mutable_tensor_shape()->add_dim()->set_size(size);
  return out;
}

template <typename T>
std::vector<T> values_of(const tensorflow::TensorProto& proto) {
  const auto tensor = tensor_of_proto("t", proto);
  EXPECT_TRUE(tensor.ok()) << tensor.status().to_string();
  const Bytes bytes = tensor->contiguous();
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(TfTensorProto, TheLastValueStandsForThoseThatAreMissing) {
  auto floats = proto_of(1, {2, 2});
  floats.add_float_val(1);
  floats.add_float_val(2);
  EXPECT_THAT(values_of<float>(floats), ElementsAre(1, 2, 2, 2));
  EXPECT_THAT(values_of<int64_t>(proto_of(9, {2})), ElementsAre(0, 0));
  auto bytes = proto_of(6, {3});
  bytes.add_int_val(-1);
  EXPECT_THAT(values_of<int8_t>(bytes), ElementsAre(-1, -1, -1));
  auto halves = proto_of(19, {1});
  halves.add_half_val(0x3c00);
  EXPECT_THAT(values_of<uint16_t>(halves), ElementsAre(0x3c00));
  auto flags = proto_of(10, {2});
  flags.add_bool_val(true);
  EXPECT_THAT(values_of<char>(flags), ElementsAre(1, 1));
  auto raw = proto_of(3, {});
  raw.set_tensor_content("\x05\x00\x00\x00"s);
  EXPECT_THAT(values_of<int32_t>(raw), ElementsAre(5));
}

TEST(TfTensorProto, StringsHaveTheirLengths) {
  auto strings = proto_of(7, {3});
  strings.add_string_val("ab");
  strings.add_string_val("");
  const auto tensor = tensor_of_proto("t", strings);
  ASSERT_TRUE(tensor.ok()) << tensor.status().to_string();
  const Bytes bytes = tensor->contiguous();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
            "\x02\x00\x00\x00"s + "ab" + std::string(8, '\0'));
}

TEST(TfTensorProto, WhatDoesNotFitIsRefused) {
  const auto error = [](const tensorflow::TensorProto& proto) {
    return tensor_of_proto("t", proto).status().message();
  };
  EXPECT_THAT(error(proto_of(8, {1})), HasSubstr("TensorFlow's type 8"));
  EXPECT_THAT(error(proto_of(1, {-1})), HasSubstr("[-1]"));
  EXPECT_THAT(error(proto_of(1, {1 << 30, 1 << 30, 1 << 30})), HasSubstr("too large"));
  auto many = proto_of(1, {1});
  many.add_float_val(1);
  many.add_float_val(2);
  EXPECT_THAT(error(many), HasSubstr("more values than its shape [1]"));
  auto raw = proto_of(1, {2});
  raw.set_tensor_content("abc");
  EXPECT_THAT(error(raw), HasSubstr("'t'"));
  auto anything = proto_of(1, {});
  anything.mutable_tensor_shape()->set_unknown_rank(true);
  EXPECT_THAT(error(anything), HasSubstr("has no shape"));
}

TEST(TfTensorProto, EveryTypeHasItsNumber) {
  for (int i = 1; i <= 14; ++i) {
    const auto dtype = static_cast<DataType>(i);
    EXPECT_EQ(dtype_of_tf(tf_dtype(dtype)), dtype) << dtype_name(dtype);
  }
  EXPECT_EQ(dtype_of_tf(tf_dtype(DataType::kInvalid)), DataType::kInvalid);
}

}  // namespace
}  // namespace modelmill
