#include "dialect/kserve_v2/generate_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "dialect/json_input.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::HasSubstr;
using testing::RecordingSink;

Signature text_signature() {
  Signature s;
  s.inputs = {{"text", DataType::kBytes, {-1, 1}, {}, false},
              {"numbers", DataType::kFp32, {-1, 2, -1}, {}, true},
              {"ids", DataType::kInt64, {3}, {}, true}};
  return s;
}

struct Parsed {
  InferRequest request{std::make_shared<RecordingSink>()};
  Status status;
  ~Parsed() { request.finish(); }
};

std::unique_ptr<Parsed> parse(const std::string& text) {
  auto parsed = std::make_unique<Parsed>();
  parsed->status = parse_generate(Bytes::copy_of(text), text_signature(), parsed->request);
  return parsed;
}

std::string error(const std::string& text) {
  const auto parsed = parse(text);
  EXPECT_EQ(parsed->status.code(), Code::kInvalidArgument) << text;
  return parsed->status.message();
}

TEST(GenerateCodec, MembersAreInputsAndTheOthersParameters) {
  const auto p = parse(R"({"id":"7","text":"hello","stream":true,"n":3,"rate":0.5,"who":"me"})");
  ASSERT_TRUE(p->status.ok()) << p->status.to_string();
  EXPECT_EQ(p->request.id, "7");
  ASSERT_EQ(p->request.inputs.size(), 1);
  EXPECT_EQ(shape_text(dims(p->request.inputs[0].shape)), "[1,1]");
  EXPECT_EQ(p->request.inputs[0].contiguous().view(), std::string("\5\0\0\0hello", 9));
  EXPECT_EQ(*p->request.parameters.find("stream"), ParameterValue(true));
  EXPECT_EQ(*p->request.parameters.find("n"), ParameterValue(int64_t{3}));
  EXPECT_EQ(*p->request.parameters.find("rate"), ParameterValue(0.5));
  EXPECT_EQ(*p->request.parameters.find("who"), ParameterValue(std::string("me")));
}

TEST(GenerateCodec, TheObjectParametersHoldsInputsAndParameters) {
  const auto p = parse(R"({"text":"a","parameters":{"ids":[1,2,3],"priority":2,"id":"its own"}})");
  ASSERT_TRUE(p->status.ok()) << p->status.to_string();
  EXPECT_NE(p->request.input("ids"), nullptr);
  EXPECT_EQ(p->request.priority, 2);
  EXPECT_EQ(p->request.id, "");
  EXPECT_EQ(*p->request.parameters.find("id"), ParameterValue(std::string("its own")));
}

TEST(GenerateCodec, TheLastOpenDimensionTakesWhatTheOthersLeave) {
  const auto p = parse(R"({"numbers":[1,2,3,4,5,6]})");
  ASSERT_TRUE(p->status.ok()) << p->status.to_string();
  EXPECT_EQ(shape_text(dims(p->request.inputs[0].shape)), "[1,2,3]");
  EXPECT_EQ(shape_text(dims(parse(R"({"text":["a","b"]})")->request.inputs[0].shape)), "[2,1]");
  EXPECT_THAT(error(R"({"numbers":[1,2,3]})"), HasSubstr("input 'numbers' has shape [-1,2,-1], into which its 3"));
  EXPECT_THAT(error(R"({"ids":7})"), HasSubstr("input 'ids' has shape [3], into which its 1 elements do not fit"));
}

TEST(GenerateCodec, LargeArraysOfNumbersAreReadAsTheSmallOnes) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += (i == 0 ? "" : ",") + std::to_string(i) + ".5";
  const auto p = parse(R"({"numbers":[[)" + text + "]]}");
  ASSERT_TRUE(p->status.ok()) << p->status.to_string();
  EXPECT_EQ(shape_text(dims(p->request.inputs[0].shape)), "[1,2,2000]");
  float last = 0;
  std::memcpy(&last, p->request.inputs[0].contiguous().data() + 3999 * sizeof(float), sizeof last);
  EXPECT_EQ(last, 3999.5f);
}

TEST(GenerateCodec, SaysWhatIsWrong) {
  EXPECT_THAT(error("["), HasSubstr("failed to parse the request JSON buffer"));
  EXPECT_THAT(error("[1]"), HasSubstr("expected an object"));
  EXPECT_THAT(error(R"({"other":{"a":1}})"), HasSubstr("'other' is no input of this model"));
  EXPECT_THAT(error(R"({"other":[1]})"), HasSubstr("'other' is no input of this model"));
  EXPECT_THAT(error(R"({"parameters":{"parameters":{}}})"), HasSubstr("'parameters' is no input"));
  EXPECT_THAT(error(R"({"parameters":1})"), HasSubstr("'parameters' must be an object"));
  EXPECT_THAT(error(R"({"id":1})"), HasSubstr("'id' must be a string"));
  EXPECT_THAT(error(R"({"text":"a","parameters":{"text":"b"}})"), HasSubstr("'text' is given twice"));
  EXPECT_THAT(error(R"({"ids":[1,2,"x"]})"), HasSubstr("input 'ids' takes INT64"));
  EXPECT_THAT(error(R"({"priority":"high"})"), HasSubstr("priority"));
}

TEST(GenerateCodec, WritesValuesAndFlatArrays) {
  InferResponse response;
  response.parameters.set("index", std::string("4"));
  Tensor text;
  text.name = "text";
  text.dtype = DataType::kBytes;
  text.shape = {1, 1};
  text.data.push_back(Bytes::copy_of(std::string("\3\0\0\0a\"b", 7)));
  Tensor ids;
  ids.name = "ids";
  ids.dtype = DataType::kInt32;
  ids.shape = {2, 1};
  const int32_t values[] = {5, -6};
  ids.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values), sizeof values}));
  response.outputs = {text, ids};
  EXPECT_EQ(write_generate(response, "m", 2, "").value(),
            R"({"model_name":"m","model_version":"2","index":"4","text":"a\"b","ids":[5,-6]})");
  EXPECT_THAT(write_generate(response, "m", 2, "x").value(), HasSubstr(R"({"id":"x","model_name":"m")"));
  response.status = internal("broken");
  EXPECT_EQ(write_generate(response, "m", 2, "").value(), R"({"error":"broken"})");
}

}  // namespace
}  // namespace modelmill::kserve_v2
