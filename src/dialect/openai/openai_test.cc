#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "dialect/http_compression.h"
#include "dialect/openai/service.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"
#include "wire/grpc_encoding.h"

namespace modelmill::openai {
namespace {

using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;

template <typename T>
Tensor tensor_of(std::string name, DataType dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor{std::move(name), dtype, std::move(shape), {}};
  tensor.data.push_back(
      Bytes::copy_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])}));
  return tensor;
}

ModelVersion::Description described(const std::string& name, std::vector<TensorSpec> inputs,
                                    std::vector<TensorSpec> outputs) {
  auto d = testing::simple_description(name);
  d.signature.inputs = std::move(inputs);
  d.signature.outputs = std::move(outputs);
  return d;
}

const TensorSpec kText{"text", DataType::kBytes, {-1}, {}, false};
const TensorSpec kVectors{"embedding", DataType::kFp32, {-1, 3}, {}, false};
const TensorSpec kCounts{"token_count", DataType::kInt64, {-1}, {}, false};
const TensorSpec kIds{"input_ids", DataType::kInt64, {-1, -1}, {}, false};

/// [length, row, 2] for the rows' lengths, and the lengths.
void answer_texts(InferRequestPtr request) {
  const Bytes texts = request->inputs[0].contiguous();
  std::vector<float> vectors;
  std::vector<int64_t> lengths;
  for (size_t at = 0; at < texts.size();) {
    uint32_t length = 0;
    std::memcpy(&length, texts.data() + at, sizeof length);
    vectors.insert(vectors.end(), {static_cast<float>(length), static_cast<float>(lengths.size()), 2.0F});
    lengths.push_back(length);
    at += sizeof length + length;
  }
  const auto rows = static_cast<int64_t>(lengths.size());
  InferResponse response;
  response.outputs.push_back(tensor_of("embedding", DataType::kFp32, {rows, 3}, vectors));
  for (const RequestedOutput& output : request->outputs)
    if (output.name == "token_count")
      response.outputs.push_back(tensor_of("token_count", DataType::kInt64, {rows}, lengths));
  request->complete(std::move(response));
}

/// The sums of each row's first input, of what the mask leaves, and of the third input.
void answer_tokens(InferRequestPtr request) {
  const Shape shape = request->inputs[0].shape;
  std::vector<std::vector<int64_t>> inputs;
  for (const Tensor& input : request->inputs) {
    const Bytes bytes = input.contiguous();
    std::vector<int64_t> values(bytes.size() / sizeof(int64_t));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    inputs.push_back(std::move(values));
  }
  std::vector<float> sums;
  const auto width = static_cast<size_t>(shape[1]);
  for (size_t row = 0; row < static_cast<size_t>(shape[0]); ++row)
    for (size_t i = 0; i < 3; ++i) {
      float sum = 0;
      for (size_t column = 0; i < inputs.size() && column < width; ++column)
        sum += static_cast<float>(inputs[i][row * width + column]);
      sums.push_back(sum);
    }
  InferResponse response;
  response.outputs.push_back(tensor_of("embedding", DataType::kFp32, {shape[0], 3}, sums));
  request->complete(std::move(response));
}

class OpenAi : public ::testing::Test {
 protected:
  OpenAi() : inference_(catalog_.catalog()) {
    add_to(router_, inference_, {{1 << 20}});
    catalog_.add(described("texts", {kText}, {kVectors, kCounts}), answer_texts);
    catalog_.add(described("silent", {kText}, {kVectors}), answer_texts);
  }

  wire::HttpReply ask(std::string method, std::string path, std::string body = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  std::string post(const std::string& body, int status = 200) {
    const wire::HttpReply reply = ask("POST", "/v1/embeddings", body);
    EXPECT_EQ(reply.status, status) << body << joined(reply.body);
    return joined(reply.body);
  }
  std::string get(const std::string& path, int status = 200) {
    const wire::HttpReply reply = ask("GET", path);
    EXPECT_EQ(reply.status, status) << path;
    return joined(reply.body);
  }
  /// A model with the parameter that says to what its vectors may be cut.
  void add_cut(const std::string& name, const char* sizes, TensorSpec output = kVectors) {
    auto d = described(name, {kText}, {std::move(output)});
    d.definition.parameters["matryoshka_dimensions"] = sizes;
    catalog_.add(d, answer_texts);
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  HttpRouter router_;
};

TEST_F(OpenAi, MakesEmbeddingsOfOneTextAndOfMany) {
  EXPECT_EQ(
      post(R"({"model":"texts","input":"abcd"})"),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[4.0,0.0,2.0]}],"model":"texts","usage":{"prompt_tokens":4,"total_tokens":4}})");
  EXPECT_EQ(
      post(R"({"input":["","ab"],"model":"texts","encoding_format":"float","user":"u","more":{"x":1}})"),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.0,0.0,2.0]},{"object":"embedding","index":1,"embedding":[2.0,1.0,2.0]}],"model":"texts","usage":{"prompt_tokens":2,"total_tokens":2}})");
  EXPECT_THAT(post(R"({"model":"silent","input":"abcd"})"), HasSubstr(R"("usage":{"prompt_tokens":0)"));
  EXPECT_EQ(joined(ask("POST", "/openai/v1/embeddings", R"({"model":"texts","input":"abcd"})").body),
            post(R"({"model":"texts","input":"abcd"})"));
}

TEST_F(OpenAi, VectorsInBase64AreLittleEndianFloats) {
  const std::string body = post(R"({"model":"texts","input":["a","bc"],"encoding_format":"base64"})");
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(body);
  const std::string_view text = document.at_pointer("/data/1/embedding").get_string();
  EXPECT_EQ(text, "AAAAQAAAgD8AAABA");
  EXPECT_EQ(text.size() % 4, 0U);
  add_cut("two", "2");
  const std::string padded = post(R"({"model":"two","input":"","encoding_format":"base64","dimensions":2})");
  EXPECT_THAT(padded, HasSubstr(R"("embedding":"AAAAAAAAAAA=")"));  // nothing that could be made as long as 1
}

TEST_F(OpenAi, BodiesMayBeCompressed) {
  const std::string body = R"({"model":"texts","input":"abcd"})";
  wire::HttpReply squeezed;
  squeezed.body.push_back(Bytes::copy_of(body + std::string(2000, ' ')));
  compress_reply(squeezed, std::string("gzip"));
  const auto reply = ask("POST", "/v1/embeddings", joined(squeezed.body), {{"content-encoding", "gzip"}});
  EXPECT_EQ(joined(reply.body), post(body));
}

TEST_F(OpenAi, SaysWhatIsWrongWithARequest) {
  struct Case {
    const char *body, *param, *message;
  };
  const Case table[] = {
      {"", "null", "JSON document is empty"},
      {"[]", "null", "'model' and 'input'"},
      {R"({"input":"a"})", R"("model")", "must provide a 'model'"},
      {R"({"model":3,"input":"a"})", R"("model")", "'model' is a string"},
      {R"({"model":"texts"})", R"("input")", "'input' is missing"},
      {R"({"model":"texts","input":null})", R"("input")", "'input' is a string, an array"},
      {R"({"model":"texts","input":[]})", R"("input")", "'input' is empty"},
      {R"({"model":"texts","input":["a",1]})", R"("input")", "item 1 is of another kind"},
      {R"({"model":"texts","input":[[1],2]})", R"("input")", "item 1 is of another kind"},
      {R"({"model":"texts","input":[1,"a"]})", R"("input")", "item 1 is no whole number"},
      {R"({"model":"texts","input":[-1]})", R"("input")", "item 0 is no whole number"},
      {R"({"model":"texts","input":[[1],[]]})", R"("input")", "a row without tokens"},
      {R"({"model":"texts","input":[1,2]})", R"("input")", "takes texts and no tokens"},
      {R"({"model":"texts","input":"a","encoding_format":"hex"})", R"("encoding_format")", "'float' or 'base64'"},
      {R"({"model":"texts","input":"a","user":1})", R"("user")", "'user' is a string"},
      {R"({"model":"texts","input":"a","dimensions":0})", R"("dimensions")", "from 1 on"},
      {R"({"model":"texts","input":"a","dimensions":4})", R"("dimensions")", "have 3"},
      {R"({"model":"texts","input":"a","dimensions":2})", R"("dimensions")", "matryoshka_dimensions"},
  };
  for (const Case& c : table) {
    const std::string reply = post(c.body, 400);
    EXPECT_THAT(reply, HasSubstr(std::string(R"("type":"invalid_request_error","param":)") + c.param)) << c.body;
    EXPECT_THAT(reply, HasSubstr(c.message)) << c.body;
  }
  EXPECT_EQ(
      post(R"({"model":"none","input":"a"})", 404),
      R"({"error":{"message":"The model 'none' does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}})");
}

TEST_F(OpenAi, VectorsAreCutWhereTheModelWasTrainedForIt) {
  add_cut("any", "any");
  add_cut("one", "1, 2");
  add_cut("open", "2", {"embedding", DataType::kFp32, {-1, -1}, {}, false});
  EXPECT_THAT(post(R"({"model":"any","input":["","abcd"],"dimensions":1})"), HasSubstr(R"("embedding":[1.0])"));
  EXPECT_THAT(post(R"({"model":"one","input":"abcd","dimensions":2})"), HasSubstr(R"("embedding":[1.0,0.0])"));
  EXPECT_THAT(post(R"({"model":"one","input":"abcd","dimensions":3})"), HasSubstr(R"("embedding":[4.0,0.0,2.0])"));
  EXPECT_THAT(post(R"({"model":"open","input":"abcd","dimensions":2})"), HasSubstr(R"("embedding":[1.0,0.0])"));
  EXPECT_THAT(post(R"({"model":"open","input":"abcd","dimensions":1})", 400), HasSubstr("may be cut to 2"));
  EXPECT_THAT(post(R"({"model":"open","input":"abcd","dimensions":4})", 400), HasSubstr(R"("param":"dimensions")"));
}

TEST_F(OpenAi, TokensGoToModelsThatTakeThem) {
  const TensorSpec mask{"attention_mask", DataType::kInt64, {-1, -1}, {}, false};
  const TensorSpec types{"token_type_ids", DataType::kInt64, {-1, -1}, {}, false};
  catalog_.add(described("bare", {kIds}, {kVectors}), answer_tokens);
  catalog_.add(described("bert", {kIds, mask, types}, {kVectors}), answer_tokens);
  EXPECT_THAT(post(R"({"model":"bare","input":[5,6]})"), HasSubstr(R"("embedding":[11.0,0.0,0.0])"));
  EXPECT_THAT(post(R"({"model":"bare","input":[[5,6],[7,8]]})"),
              HasSubstr(R"("usage":{"prompt_tokens":4,"total_tokens":4})"));
  EXPECT_THAT(post(R"({"model":"bare","input":[[5,6],[7]]})", 400), HasSubstr("equally long"));
  EXPECT_THAT(post(R"({"model":"bare","input":"a"})", 400), HasSubstr("takes tokens and no texts"));
  const std::string padded = post(R"({"model":"bert","input":[[5,6,7],[8]]})");
  EXPECT_THAT(padded, HasSubstr(R"("embedding":[18.0,3.0,0.0])"));
  EXPECT_THAT(padded, HasSubstr(R"("embedding":[8.0,1.0,0.0])"));
  std::string uneven = R"({"model":"bert","input":[[0)";
  for (int i = 0; i < 10'000; ++i) uneven += ",1";
  uneven += "]";
  for (int i = 0; i < 1'000; ++i) uneven += ",[1]";
  EXPECT_THAT(post(uneven + "]}", 400), HasSubstr("most of them padding"));
}

TEST_F(OpenAi, ModelsThatMakeNoEmbeddingsSaySo) {
  catalog_.add(testing::simple_description("numbers"));
  catalog_.add(described("classes", {kText}, {{"label", DataType::kBytes, {-1}, {}, false}, kVectors}), answer_texts);
  catalog_.add(described("score", {kText}, {{"score", DataType::kFp32, {-1}, {}, false}}));
  catalog_.add(described("pair", {kText, {"other", DataType::kBytes, {-1}, {}, false}}, {kVectors}), answer_texts);
  for (const char* name : {"numbers", "score", "pair"})
    EXPECT_THAT(post(std::string(R"({"model":")") + name + R"(","input":"a"})", 400),
                HasSubstr("does not make embeddings"))
        << name;
  // Its output is called so.
  EXPECT_THAT(post(R"({"model":"classes","input":"a"})"), HasSubstr(R"("embedding":[1.0,0.0,2.0])"));
}

TEST_F(OpenAi, AnAnswerThatIsNotAVectorForEachInputIsAnError) {
  catalog_.add(described("short", {kText}, {kVectors}), [](InferRequestPtr request) {
    InferResponse response;
    response.outputs.push_back(tensor_of<float>("embedding", DataType::kFp32, {1, 3}, {1, 2, 3}));
    request->complete(std::move(response));
  });
  catalog_.add(described("busy", {kText}, {kVectors}),
               [](InferRequestPtr request) { request->fail(resource_exhausted("the queue is full")); });
  EXPECT_THAT(post(R"({"model":"short","input":"a"})"), HasSubstr("[1.0,2.0,3.0]"));
  EXPECT_THAT(post(R"({"model":"short","input":["a","b"]})", 500), HasSubstr(R"("type":"server_error")"));
  const wire::HttpReply reply = ask("POST", "/v1/embeddings", R"({"model":"busy","input":"a"})");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(header_of(reply, "Retry-After"), "1");
  EXPECT_THAT(joined(reply.body), HasSubstr(R"("code":"rate_limit_exceeded")"));
}

TEST_F(OpenAi, ListsAndDescribesModels) {
  const std::string list = get("/openai/v1/models");
  EXPECT_THAT(list, HasSubstr(R"({"object":"list","data":[{"id":"silent","object":"model","created":)"));
  const std::string one = get("/openai/v1/models/texts");
  EXPECT_THAT(list, HasSubstr(one));
  EXPECT_THAT(get("/openai/v1/models/none", 404), HasSubstr(R"("code":"model_not_found")"));
  for (const char* path : {"/openai", "/openai/v1", "/openai/v1/models/a/b", "/openai/v2/models", "/openai/v1/chat"})
    EXPECT_THAT(get(path, 404), HasSubstr("POST /openai/v1/embeddings")) << path;
  EXPECT_EQ(header_of(ask("GET", "/v1/embeddings"), "Allow"), "POST");
  EXPECT_EQ(ask("DELETE", "/openai/v1/models/texts").status, 405);
}

TEST_F(OpenAi, AskingIsInferenceAndTheRestMetadata) {
  EXPECT_EQ(router_.group(http_request("POST", "/v1/embeddings")), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(http_request("POST", "/openai/v1/embeddings")), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(http_request("GET", "/openai/v1/models")), wire::ApiGroup::kMetadata);
}

}  // namespace
}  // namespace modelmill::openai
