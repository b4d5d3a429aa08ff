#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "dialect/kserve_v2/open_call.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::ElementsAre;
using Headers = std::vector<std::pair<std::string, std::string>>;

const Headers kNone;

/// What the model would be told of a request in JSON; or the error.
std::string told(const std::string& json, InferRequest& request, const Headers& headers = kNone) {
  HttpOutputs outputs;
  SharedTensors shared;
  OpenRequest open;
  const Bytes body = Bytes::from_string(json);
  const Status status = parse_http_infer(body, body.size(), request, outputs, shared, &open);
  return status.ok() ? open.text(headers) : status.message();
}

TEST(OpenRequest, HasWhatStandsBesideTheData) {
  InferRequest request(std::make_shared<testing::RecordingSink>());
  const std::string json =
      R"({"id":null,"parameters":{"content_type":"np","deep":{"a":[1,null]},"binary_data_output":false},)"
      R"("inputs":[{"name":"x","datatype":"FP16","shape":[2],"parameters":{"content_type":"np","k":1.5},"data":[1,2]},)"
      R"({"name":"y","datatype":"INT8","shape":[1],"data":[3]}],)"
      R"("outputs":[{"name":"z","parameters":{"binary_data":true,"content_type":"str"}},{"name":"w"}]})";
  EXPECT_EQ(told(json, request, {{"a", "b\""}}),
            R"({"headers":{"a":"b\""},"parameters":{"content_type":"np","deep":{"a":[1,null]}},)"
            R"("inputs":{"x":{"content_type":"np","k":1.5}},"outputs":{"z":{"content_type":"str"}},"json":true})");
  EXPECT_EQ(request.inputs[0].dtype, DataType::kFp16);
  EXPECT_EQ(request.outputs.size(), 2u);
  request.fail(internal("over"));
}

TEST(OpenRequest, LargeArraysAmongTheParametersStay) {
  std::string numbers = "[0.5";
  for (int i = 0; i < 2000; ++i) numbers += ",1.5";
  numbers += "]";
  InferRequest request(std::make_shared<testing::RecordingSink>());
  const std::string parameters = R"({"large":)" + numbers + R"(,"inner":{"twice":)" + numbers + "}}";
  const std::string text = told(R"({"parameters":)" + parameters + R"(,"inputs":[{"name":"x","datatype":"FP32",)" +
                                    R"("shape":[2001],"data":)" + numbers + "}]}",
                                request);
  EXPECT_NE(text.find(R"("parameters":)" + parameters), std::string::npos) << text.substr(0, 200);
  EXPECT_EQ(request.inputs[0].byte_size(), 2001 * sizeof(float));
  request.fail(internal("over"));
}

TEST(OpenRequest, TextsAreNotHeldToTheirShape) {
  InferRequest request(std::make_shared<testing::RecordingSink>());
  const std::string json = R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[11],"data":"hello world"},)"
                           R"({"name":"y","datatype":"BYTES","shape":[1,2],"data":[["a","b"]]}]})";
  EXPECT_EQ(told(json, request), R"({"headers":{},"inputs":{},"outputs":{},"shapes":{"x":[11]},"json":true})");
  EXPECT_THAT(request.inputs[0].shape, ElementsAre(1));
  EXPECT_THAT(request.inputs[1].shape, ElementsAre(1, 2));
  request.fail(internal("over"));
}

TEST(OpenRequest, OtherModelsAreAskedAsEver) {
  InferRequest request(std::make_shared<testing::RecordingSink>());
  HttpOutputs outputs;
  SharedTensors shared;
  for (const char* json : {R"({"parameters":{"deep":{}},"inputs":[]})",
                           R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[2],"data":"text"}]})",
                           R"({"inputs":[{"name":"x","datatype":"FP16","shape":[1],"data":[1]}]})"}) {
    const Bytes body = Bytes::from_string(json);
    EXPECT_FALSE(parse_http_infer(body, body.size(), request, outputs, shared).ok()) << json;
  }
  request.fail(internal("over"));
}

TEST(OpenRequest, OfGrpcsTensors) {
  inference::ModelInferRequest message;
  auto& input = *message.add_inputs();
  input.set_name("x");
  input.set_datatype("INT8");
  input.add_shape(1);
  (*input.mutable_parameters())["content_type"].set_string_param("np");
  auto& output = *message.add_outputs();
  output.set_name("y");
  (*output.mutable_parameters())["n"].set_int64_param(3);
  message.add_raw_input_contents("a");
  const std::string bytes = message.SerializeAsString();
  InferScanner scanner;
  scanner.begin(bytes.size());
  scanner.feed(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(scanner.end().ok());
  InferRequest request(std::make_shared<testing::RecordingSink>());
  InferOptions options;
  SharedTensors shared;
  ASSERT_TRUE(parse_infer_request(scanner.fields(), scanner.raw_contents(), request, options, shared).ok());
  options.open.set_stream();
  EXPECT_EQ(options.open.text(kNone),
            R"({"headers":{},"inputs":{"x":{"content_type":"np"}},"outputs":{"y":{"n":3}},"stream":true})");
  request.fail(internal("over"));
}

InferResponse answer(const std::string& beside) {
  InferResponse response;
  response.parameters.set(std::string(kOpenAnswer), beside);
  for (const char* name : {"y", "z"}) {
    Tensor& tensor = response.outputs.emplace_back();
    tensor.name = name;
    tensor.dtype = DataType::kInt8;
    tensor.shape = {1};
    tensor.data.push_back(Bytes::from_string("\1"));
  }
  return response;
}

constexpr const char* kBeside =
    R"({"id": "i", "version": "v2", "parameters": {"n": 7, "deep": [1]}, "outputs": [null, {"k": "v"}],)"
    R"( "headers": {"X-Mine": "yes", "bad name": "no", "split": "a\r\nb", "Content-Length": "9"}, "status": 422})";

TEST(OpenAnswer, IsWrittenAsJson) {
  InferResponse response = answer(kBeside);
  const auto open = OpenAnswer::take(response);
  ASSERT_TRUE(open);
  EXPECT_TRUE(response.parameters.empty());
  wire::HttpReply reply = write_http_infer(response, "m", 1, open->id, {}, &*open);
  EXPECT_EQ(testing::joined(reply.body),
            R"({"id":"i","model_name":"m","model_version":"v2","parameters":{"n":7,"deep":[1]},"outputs":)"
            R"([{"name":"y","datatype":"INT8","shape":[1],"data":[1]},)"
            R"({"name":"z","datatype":"INT8","shape":[1],"parameters":{"k":"v"},"data":[1]}]})");
  open->mark(reply, false);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.back(), (std::pair<std::string, std::string>("x-mine", "yes")));
  open->mark(reply, true);
  EXPECT_EQ(reply.status, 422);
}

TEST(OpenAnswer, IsWrittenForGrpc) {
  InferResponse response = answer(kBeside);
  const OpenHead open(response);
  inference::ModelInferResponse read;
  ASSERT_TRUE(read.ParseFromString(testing::joined(encode_infer_response(response, open.with({"m", 1, "own"})))));
  EXPECT_EQ(read.id(), "i");
  EXPECT_EQ(read.model_version(), "v2");
  EXPECT_EQ(read.parameters().at("n").int64_param(), 7);
  EXPECT_EQ(read.parameters().at("deep").string_param(), "[1]");
  EXPECT_TRUE(read.outputs(0).parameters().empty());
  EXPECT_EQ(read.outputs(1).parameters().at("k").string_param(), "v");
}

TEST(OpenAnswer, WhatIsNotThereOrIsNoneIsNothing) {
  InferResponse plain;
  plain.parameters.set("other", int64_t{1});
  EXPECT_FALSE(OpenAnswer::take(plain));
  EXPECT_FALSE(plain.parameters.empty());
  InferResponse broken = answer("{no");
  const auto open = OpenAnswer::take(broken);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->status, 0);
  for (const char* status : {"200", "99999", "\"x\""}) {
    InferResponse response = answer(R"({"status": )" + std::string(status) + "}");
    EXPECT_EQ(OpenAnswer::take(response)->status, 0);
  }
}

}  // namespace
}  // namespace modelmill::kserve_v2
