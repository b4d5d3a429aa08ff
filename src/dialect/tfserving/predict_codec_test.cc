#include "dialect/tfserving/predict_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dialect/testing/fakes.h"
#include "dialect/tfserving/model_target.h"
#include "model/tf_tensor_proto.h"
#include "tf_serving_api.pb.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What becomes of a message that comes in pieces of `piece` bytes.
struct Read {
  PredictScanner scanner;
  InferRequest request{nullptr};
  Status status;

  Read(const std::string& message, size_t piece) {
    scanner.begin(message.size());
    for (size_t at = 0; at < message.size(); at += piece)
      scanner.feed(std::as_bytes(std::span(message.data() + at, std::min(piece, message.size() - at))));
    status = scanner.end();
    if (status.ok()) status = read_predict_request(scanner, request);
  }
};

template <typename T>
std::vector<T> values_of(const Tensor& tensor) {
  const Bytes bytes = tensor.contiguous();
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

tensorflow::TensorProto proto_of(tensorflow::DataType type, std::initializer_list<int64_t> shape) {
  tensorflow::TensorProto out;
  out.set_dtype(type);
  out.mutable_tensor_shape();
  for (const int64_t size : shape) out.mutable_tensor_shape()->add_dim()->set_size(size);
  return out;
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float)};
}

/// One of every way that elements come.
api::PredictRequest every_way() {
  api::PredictRequest m;
  m.mutable_model_spec()->set_name("m");
  m.mutable_model_spec()->mutable_version()->set_value(3);
  m.mutable_model_spec()->set_signature_name("s");
  m.add_output_filter("y");
  m.add_output_filter("");
  auto& inputs = *m.mutable_inputs();
  inputs["content"] = proto_of(tensorflow::DT_FLOAT, {2});
  inputs["content"].set_tensor_content(floats({1, 2}));
  inputs["typed"] = proto_of(tensorflow::DT_FLOAT, {1, 3});
  for (const float value : {1.F, 2.F, 3.F}) inputs["typed"].add_float_val(value);
  inputs["repeated"] = proto_of(tensorflow::DT_DOUBLE, {3});
  inputs["repeated"].add_double_val(7);
  inputs["integers"] = proto_of(tensorflow::DT_INT32, {2});
  for (const int value : {-1, 5}) inputs["integers"].add_int_val(value);
  inputs["strings"] = proto_of(tensorflow::DT_STRING, {2});
  inputs["strings"].add_string_val("ab");
  inputs["strings"].add_string_val("");
  inputs["empty"] = proto_of(tensorflow::DT_INT64, {0, 4});
  return m;
}

TEST(PredictCodec, ReadsEveryWayThatElementsCome) {
  const std::string message = every_way().SerializeAsString();
  for (const size_t piece : {size_t{1}, size_t{7}, message.size()}) {
    Read read(message, piece);
    ASSERT_TRUE(read.status.ok()) << read.status.to_string();
    const Result<ModelTarget> target = read_model_spec(read.scanner.model_spec());
    ASSERT_TRUE(target.ok());
    EXPECT_EQ(target->model, "m");
    EXPECT_EQ(target->version, 3);
    EXPECT_EQ(target->signature, "s");
    ASSERT_EQ(read.request.outputs.size(), 2U);
    EXPECT_EQ(read.request.outputs[0].name, "y");
    ASSERT_EQ(read.request.inputs.size(), 6U);
    EXPECT_THAT(values_of<float>(*read.request.input("content")), ElementsAre(1, 2));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.request.input("content")->data[0].data()) % kAlignment, 0U);
    EXPECT_THAT(values_of<float>(*read.request.input("typed")), ElementsAre(1, 2, 3));
    EXPECT_THAT(read.request.input("typed")->shape, ElementsAre(1, 3));
    EXPECT_THAT(values_of<double>(*read.request.input("repeated")), ElementsAre(7, 7, 7));
    EXPECT_THAT(values_of<int32_t>(*read.request.input("integers")), ElementsAre(-1, 5));
    EXPECT_EQ(read.request.input("strings")->byte_size(), 10U);
    EXPECT_EQ(read.request.input("empty")->byte_size(), 0U);
  }
}

TEST(PredictCodec, TheLastOfANameCounts) {
  api::PredictRequest first, second;
  first.mutable_model_spec()->set_name("a");
  (*first.mutable_inputs())["x"] = proto_of(tensorflow::DT_INT32, {});
  (*first.mutable_inputs())["x"].add_int_val(1);
  second.mutable_model_spec()->set_name("b");
  (*second.mutable_inputs())["x"] = proto_of(tensorflow::DT_INT32, {});
  (*second.mutable_inputs())["x"].add_int_val(2);
  Read read(first.SerializeAsString() + second.SerializeAsString(), 3);
  ASSERT_TRUE(read.status.ok()) << read.status.to_string();
  ASSERT_EQ(read.request.inputs.size(), 1U);
  EXPECT_THAT(values_of<int32_t>(read.request.inputs[0]), ElementsAre(2));
  EXPECT_EQ(read_model_spec(read.scanner.model_spec())->model, "b");
}

TEST(PredictCodec, WhatDoesNotFitIsRefused) {
  const auto error = [](const tensorflow::TensorProto& proto) {
    api::PredictRequest m;
    (*m.mutable_inputs())["x"] = proto;
    Read read(m.SerializeAsString(), 64);
    EXPECT_EQ(read.status.code(), Code::kInvalidArgument);
    return read.status.message();
  };
  auto short_content = proto_of(tensorflow::DT_FLOAT, {3});
  short_content.set_tensor_content(floats({1, 2}));
  EXPECT_THAT(error(short_content), HasSubstr("'x'"));
  auto many = proto_of(tensorflow::DT_FLOAT, {1});
  many.add_float_val(1);
  many.add_float_val(2);
  EXPECT_THAT(error(many), HasSubstr("'x'"));
  auto negative = proto_of(tensorflow::DT_FLOAT, {-1});
  negative.add_float_val(1);
  EXPECT_THAT(error(negative), HasSubstr("[-1]"));
  auto unknown = proto_of(tensorflow::DT_FLOAT, {});
  unknown.mutable_tensor_shape()->set_unknown_rank(true);
  unknown.add_float_val(1);
  EXPECT_THAT(error(unknown), HasSubstr("unknown rank"));
  EXPECT_THAT(error(proto_of(static_cast<tensorflow::DataType>(8), {1})), HasSubstr("type 8"));
  // A small message makes no large memory.
  EXPECT_THAT(error(proto_of(tensorflow::DT_INT32, {1 << 28})), HasSubstr("send them all"));
  auto one = proto_of(tensorflow::DT_FLOAT, {1 << 28});
  one.add_float_val(1);
  EXPECT_THAT(error(one), HasSubstr("send them all"));
}

TEST(PredictCodec, ReadsWhatProtobufReads) {
  int agreed = 0;
  const std::string whole = every_way().SerializeAsString();
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    std::string message = whole;
    if (random() % 2 == 0) message.resize(random() % message.size());
    for (size_t i = random() % 3; i > 0 && !message.empty(); --i)
      message[random() % message.size()] = static_cast<char>(random());
    api::PredictRequest parsed;
    if (!parsed.ParseFromString(message)) continue;
    const Read read(message, 1 + random() % 16);
    if (!read.status.ok()) continue;  // what no tensor can be made of
    ASSERT_EQ(read.request.inputs.size(), static_cast<size_t>(parsed.inputs_size()));
    for (const auto& [name, proto] : parsed.inputs()) {
      const Result<Tensor> expected = tensor_of_proto(name, proto);
      const Tensor* tensor = read.request.input(name);
      ASSERT_NE(tensor, nullptr) << name;
      if (!expected.ok()) continue;  // values of several types, of which one counts
      EXPECT_EQ(tensor->shape, expected->shape);
      EXPECT_EQ(tensor->contiguous().view(), expected->contiguous().view()) << name;
      ++agreed;
    }
  }
  EXPECT_GT(agreed, 1000);
}

TEST(PredictCodec, AnswersReadBack) {
  InferResponse response;
  const auto add = [&](std::string name, DataType dtype, Shape shape, std::string_view bytes) {
    response.outputs.push_back({std::move(name), dtype, std::move(shape), {Bytes::copy_of(bytes)}});
  };
  add("floats", DataType::kFp32, {2}, floats({1.5F, -2}));
  add("bytes", DataType::kInt8, {2}, "\xff\x05");
  add("flags", DataType::kBool, {3}, std::string("\1\0\1", 3));
  add("strings", DataType::kBytes, {2}, std::string("\2\0\0\0ab\0\0\0\0", 10));
  add("longs", DataType::kInt64, {1}, std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
  add("wide", DataType::kUint64, {1}, std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
  add("halves", DataType::kFp16, {1}, std::string("\x00\x3c", 2));
  const Chunks chunks = write_predict_response(response, {"m", 4, "serving_default"});
  api::PredictResponse read;
  ASSERT_TRUE(read.ParseFromString(testing::joined(chunks)));
  EXPECT_EQ(read.model_spec().name(), "m");
  EXPECT_EQ(read.model_spec().version().value(), 4);
  EXPECT_EQ(read.model_spec().signature_name(), "serving_default");
  EXPECT_THAT(read.outputs().at("floats").float_val(), ElementsAre(1.5F, -2.F));
  EXPECT_EQ(read.outputs().at("floats").tensor_shape().dim(0).size(), 2);
  EXPECT_THAT(read.outputs().at("bytes").int_val(), ElementsAre(-1, 5));
  EXPECT_EQ(read.outputs().at("bytes").dtype(), tensorflow::DT_INT8);
  EXPECT_THAT(read.outputs().at("flags").bool_val(), ElementsAre(true, false, true));
  EXPECT_THAT(read.outputs().at("strings").string_val(), ElementsAre("ab", ""));
  EXPECT_THAT(read.outputs().at("longs").int64_val(), ElementsAre(-1));
  EXPECT_THAT(read.outputs().at("wide").uint64_val(), ElementsAre(UINT64_MAX));
  EXPECT_THAT(read.outputs().at("halves").half_val(), ElementsAre(0x3c00));
}

TEST(ModelSpec, AVersionOrALabelTheLastOfThem) {
  api::ModelSpec spec;
  spec.set_version_label("canary");
  EXPECT_EQ(read_model_spec(spec.SerializeAsString())->label, "canary");
  spec.mutable_version();
  const auto zero = read_model_spec(spec.SerializeAsString());
  EXPECT_EQ(zero->version, 0);
  EXPECT_EQ(zero->label, "");
  EXPECT_FALSE(read_model_spec("").value().version.has_value());
  EXPECT_EQ(read_model_spec("\x0a\x05m").status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace modelmill::tfserving
