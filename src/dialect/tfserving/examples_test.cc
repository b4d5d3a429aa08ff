#include "dialect/tfserving/examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "dialect/tfserving/results.h"
#include "serve/testing/fake_version.h"
#include "tf_serving_api.pb.h"

namespace modelmill::tfserving {
namespace {

namespace api = tensorflow::serving;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

api::Input input_of(const std::vector<std::vector<float>>& rows) {
  api::Input out;
  for (const auto& row : rows) {
    auto& features = *out.mutable_example_list()->add_examples()->mutable_features();
    for (const float value : row) (*features.mutable_feature())["x"].mutable_float_list()->add_value(value);
  }
  return out;
}

Status put(const api::Input& input, const Signature& signature, InferRequest& request) {
  const std::string bytes = input.SerializeAsString();
  MM_ASSIGN_OR_RETURN(const Examples examples, read_input(bytes));
  return put_examples(examples, signature, request);
}

Signature one_input(DataType dtype, Shape shape, bool optional = false) {
  return {{{"x", dtype, std::move(shape), {}, optional}}, {}};
}

TEST(Examples, AreParsedForModelsThatTakeTensors) {
  InferRequest request(nullptr);
  ASSERT_TRUE(put(input_of({{1, 2}, {3, 4}}), one_input(DataType::kFp32, {-1, -1}), request).ok());
  EXPECT_THAT(request.inputs[0].shape, ElementsAre(2, 2));
  float values[4];
  std::memcpy(values, request.inputs[0].contiguous().data(), sizeof values);
  EXPECT_THAT(values, ElementsAre(1, 2, 3, 4));
}

TEST(Examples, StayAsTheyAreForGraphsThatParseThem) {
  api::Input input;
  auto& list = *input.mutable_example_list_with_context();
  (*list.mutable_context()->mutable_features()->mutable_feature())["c"].mutable_int64_list()->add_value(7);
  list.add_examples();
  (*list.add_examples()->mutable_features()->mutable_feature())["x"].mutable_bytes_list()->add_value("v");
  InferRequest request(nullptr);
  ASSERT_TRUE(put(input, one_input(DataType::kBytes, {-1}), request).ok());
  EXPECT_THAT(request.inputs[0].shape, ElementsAre(2));
  const Bytes bytes = request.inputs[0].contiguous();
  uint32_t first = 0, second = 0;
  std::memcpy(&first, bytes.data(), 4);
  std::memcpy(&second, bytes.data() + 4 + first, 4);
  tensorflow::Example example;
  ASSERT_TRUE(example.ParseFromArray(bytes.data() + 8 + first, static_cast<int>(second)));
  EXPECT_EQ(example.features().feature().at("c").int64_list().value(0), 7) << "the context is every example's";
  EXPECT_EQ(example.features().feature().at("x").bytes_list().value(0), "v");
}

TEST(Examples, WhatDoesNotFitIsToldByExampleAndFeature) {
  const auto error = [](const api::Input& input, const Signature& signature) {
    InferRequest request(nullptr);
    return put(input, signature, request).message();
  };
  EXPECT_EQ(error({}, {}), "Input is empty.");
  EXPECT_THAT(error(input_of({{1}, {1, 2}}), one_input(DataType::kFp32, {-1, -1})), HasSubstr("example 1"));
  EXPECT_THAT(error(input_of({{1}, {}}), one_input(DataType::kFp32, {-1, 1})), HasSubstr("'x' is missing"));
  EXPECT_THAT(error(input_of({{1, 2}}), one_input(DataType::kFp32, {-1, 3})), HasSubstr("shape [-1,3]"));
  EXPECT_THAT(error(input_of({{1}}), one_input(DataType::kInt32, {-1, 1})), HasSubstr("type INT32"));
  EXPECT_THAT(error(input_of({{1}}), one_input(DataType::kFp32, {})), HasSubstr("scalar"));
  EXPECT_THAT(error(input_of({{1}}), one_input(DataType::kFp32, {-1, -1, -1})), HasSubstr("several open sizes"));
  EXPECT_THAT(read_input("\x0a\x7f").status().message(), HasSubstr("does not parse"));
}

TEST(Examples, OptionalInputsMayBeMissingInAll) {
  InferRequest request(nullptr);
  EXPECT_TRUE(put(input_of({{}, {}}), one_input(DataType::kFp32, {-1, 1}, true), request).ok());
  EXPECT_TRUE(request.inputs.empty());
  EXPECT_THAT(put(input_of({{}, {1}}), one_input(DataType::kFp32, {-1, 1}, true), request).message(),
              HasSubstr("not in the examples before it"));
}

class Json : public ::testing::Test {
 protected:
  Result<Examples> read(const std::string& body) { return read_json_examples(Bytes::copy_of(body), version_); }
  std::string error(const std::string& body) { return read(body).status().message(); }

  MetricRegistry metrics_;
  testing::FakeVersion version_{metrics_, testing::simple_description("m"), {}};
};

TEST_F(Json, ExamplesOfEveryKindOfValue) {
  const auto examples =
      read(R"({"context":{"c":5},"examples":[{"f":[1.5,2.0],"i":[1,true],"s":"a","b":[{"b64":"AAE="}]},{}]})");
  ASSERT_TRUE(examples.ok()) << examples.status().to_string();
  ASSERT_EQ(examples->list.size(), 2U);
  tensorflow::Example first, context;
  ASSERT_TRUE(first.ParseFromString(std::string(examples->list[0])));
  const auto& features = first.features().feature();
  EXPECT_THAT(features.at("f").float_list().value(), ElementsAre(1.5F, 2.F));
  EXPECT_THAT(features.at("i").int64_list().value(), ElementsAre(1, 1));
  EXPECT_THAT(features.at("s").bytes_list().value(), ElementsAre("a"));
  EXPECT_EQ(features.at("b").bytes_list().value(0), std::string("\0\1", 2));
  ASSERT_TRUE(context.ParseFromString(std::string(examples->context)));
  EXPECT_EQ(context.features().feature().at("c").int64_list().value(0), 5);
}

TEST_F(Json, WhatIsNoExample) {
  EXPECT_THAT(error("[]"), HasSubstr("Is not object"));
  EXPECT_THAT(error("{}"), HasSubstr("key 'examples' is expected"));
  EXPECT_THAT(error(R"({"examples":{}})"), HasSubstr("to be an list/array"));
  EXPECT_THAT(error(R"({"examples":[]})"), HasSubstr("empty array"));
  EXPECT_THAT(error(R"({"examples":[1]})"), HasSubstr("must be JSON object"));
  EXPECT_THAT(error(R"({"examples":[{"a":[1,"x"]}]})"), HasSubstr("Unexpected element type in feature: a"));
  EXPECT_THAT(error(R"({"examples":[{"a":[[1]]}]})"), HasSubstr("Feature: a"));
  EXPECT_THAT(error(R"({"examples":[{"a":null}]})"), HasSubstr("Feature: a"));
  EXPECT_THAT(error(R"({"examples":[{"a":18446744073709551615}]})"), HasSubstr("uint64_t"));
  EXPECT_THAT(error(R"({"signature_name":"x","examples":[{}]})"), HasSubstr("\"x\" not found"));
}

Tensor floats(std::string name, Shape shape, const std::vector<float>& values) {
  return {std::move(name),
          DataType::kFp32,
          std::move(shape),
          {Bytes::copy_of({reinterpret_cast<const char*>(values.data()), values.size() * 4})}};
}

TEST(Results, ClassesAndScores) {
  const auto model = testing::simple_description("m");
  InferResponse response;
  response.outputs.push_back(floats("scores", {1, 2}, {0.25F, 0.75F}));
  EXPECT_EQ(json_of(*classification_of(response, model, 1)), R"({"results":[[["",0.25],["",0.75]]]})");
  response.outputs.push_back(
      {"classes", DataType::kBytes, {1, 2}, {Bytes::copy_of(std::string("\1\0\0\0a\1\0\0\0b", 10))}});
  EXPECT_EQ(json_of(*classification_of(response, model, 1)), R"({"results":[[["a",0.25],["b",0.75]]]})");
  EXPECT_THAT(classification_of(response, model, 2).status().message(), HasSubstr("batch size of 2. Got: 1"));
  response.outputs[1].shape = {2, 1};
  EXPECT_THAT(classification_of(response, model, 2).status().message(), HasSubstr("batch size"));
  response.outputs.erase(response.outputs.begin());
  EXPECT_EQ(json_of(*classification_of(response, model, 2)), R"({"results":[[["a",0.0]],[["b",0.0]]]})");
  EXPECT_THAT(classification_of({}, model, 1).status().message(), HasSubstr("at least one of"));
}

TEST(Results, LabelsOfALabelFile) {
  auto model = testing::simple_description("m");
  model.labels["y"] = {"cat", "dog"};
  InferResponse response;
  response.outputs.push_back(floats("y", {1, 3}, {1, 2, 3}));
  EXPECT_EQ(json_of(*classification_of(response, model, 1)), R"({"results":[[["cat",1.0],["dog",2.0],["",3.0]]]})");
}

TEST(Results, Regression) {
  InferResponse response;
  response.outputs.push_back(floats("outputs", {2, 1}, {1.5F, 2}));
  response.outputs.push_back(floats("more", {2}, {0, 0}));
  EXPECT_EQ(json_of(*regression_of(response, 2)), R"({"results":[1.5,2.0]})");
  EXPECT_THAT(regression_of(response, 3).status().message(), HasSubstr("Expected output batch size to be 3. Got: 2"));
  response.outputs[0].name = "other";
  EXPECT_THAT(regression_of(response, 2).status().message(), HasSubstr("No regression outputs found"));
}

}  // namespace
}  // namespace modelmill::tfserving
