#include "dialect/invocations/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "dialect/kserve_v2/binary_type.h"
#include "dialect/testing/fakes.h"
#include "dialect/torchserve/testing/handlers.h"
#include "serve/testing/fake_version.h"

namespace modelmill::invocations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;
using ::testing::Not;
using ::testing::StartsWith;

using Headers = std::vector<std::pair<std::string, std::string>>;

const char* const kRows = R"({"instances":[[1,2,3,4]]})";
const char* const kAnswer = R"({"predictions":[[1.0,2.0,3.0,4.0]]})";

ModelVersion::Description described(const std::string& name, std::vector<TensorSpec> inputs,
                                    std::vector<TensorSpec> outputs) {
  auto d = testing::simple_description(name);
  d.signature.inputs = std::move(inputs);
  d.signature.outputs = std::move(outputs);
  return d;
}

/// Inputs age (FP32 [-1,1]), id (INT64 [-1]) and, optional, word (BYTES [-1,1]); they come back.
ModelVersion::Description person() {
  return described("person",
                   {{"age", DataType::kFp32, {-1, 1}, {}, false},
                    {"id", DataType::kInt64, {-1}, {}, false},
                    {"word", DataType::kBytes, {-1, 1}, {}, true}},
                   {{"out_age", DataType::kFp32, {-1, 1}, {}, false},
                    {"out_id", DataType::kInt64, {-1}, {}, false},
                    {"out_word", DataType::kBytes, {-1, 1}, {}, false}});
}

ModelVersion::Description saved_model() {
  auto d = testing::simple_description("saved");
  d.signature_name = "serving_default";
  return d;
}

class Invocations : public ::testing::Test {
 protected:
  Invocations() : inference_(catalog_.catalog()) {}

  void start(std::string default_model = "", CloudRoutes routes = {}) {
    Options options{.server_version = "1.2.3", .ready = [this] { return ready_; }};
    options.regions = std::make_shared<kserve_v2::SharedRegions>(std::vector<std::string>(), 0);
    options.default_model = std::move(default_model);
    options.routes = std::move(routes);
    add_to(router_, inference_, std::move(options));
  }
  /// With one model, which gives its input back.
  void start_with(ModelVersion::Description description) {
    catalog_.add(std::move(description));
    start();
  }

  wire::HttpReply ask(std::string method, std::string path, std::string body = "", Headers headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  std::string post(const std::string& body, int status = 200, const Headers& headers = {}) {
    const wire::HttpReply reply = ask("POST", "/invocations", body, headers);
    EXPECT_EQ(reply.status, status) << body << joined(reply.body);
    return joined(reply.body);
  }

  bool ready_ = true;
  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  HttpRouter router_;
};

TEST_F(Invocations, TheOnlyModelIsAskedWhereNoneIsNamed) {
  start();
  EXPECT_THAT(post(kRows, 503), HasSubstr("no model is served"));
  catalog_.add(testing::simple_description("m"));
  EXPECT_EQ(post(kRows), kAnswer);
  catalog_.add(testing::simple_description("n"));
  EXPECT_THAT(post(kRows, 400),
              AllOf(HasSubstr("2 are served: 'm', 'n'"), HasSubstr("X-Amzn-SageMaker-Target-Model"),
                    HasSubstr(R"({"error":)"), HasSubstr(R"("error_code":"BAD_REQUEST","message":)")));
}

TEST_F(Invocations, AModelThatIsNotServedYetCountsToo) {
  start();
  catalog_.add_unready("broken", 1, "its file is no model");
  EXPECT_THAT(post(kRows, 404), AllOf(HasSubstr("'broken' has no available versions"),
                                      HasSubstr(R"("error_code":"RESOURCE_DOES_NOT_EXIST")")));
}

TEST_F(Invocations, SageMakersHeaderNamesAModelOrItsArchive) {
  start();
  catalog_.add(testing::simple_description("m"));
  catalog_.add(saved_model());
  catalog_.add(testing::simple_description("odd.zip"));
  for (const char* name : {"m", "m.tar.gz", "/m.tar.gz", "some/folder/m.tgz", "m.mar", "odd.zip"})
    EXPECT_EQ(post(kRows, 200, {{"x-amzn-sagemaker-target-model", name}}), kAnswer) << name;
  EXPECT_THAT(post(kRows, 404, {{"x-amzn-sagemaker-target-model", "none.tar.gz"}}),
              AllOf(HasSubstr("none"), HasSubstr("RESOURCE_DOES_NOT_EXIST")));
}

TEST_F(Invocations, ADefaultModelMayBeTold) {
  catalog_.add(testing::simple_description("m"));
  catalog_.add(saved_model());
  start("m");
  EXPECT_THAT(post(R"({"inputs":[[1,2,3,4]]})"), StartsWith(R"({"predictions")"));
  EXPECT_THAT(post(R"({"inputs":[[1,2,3,4]]})", 200, {{"x-amzn-sagemaker-target-model", "saved"}}),
              StartsWith(R"({"outputs")"));
}

TEST_F(Invocations, TheBodySaysWhoseItIs) {
  start_with(testing::simple_description("m"));
  EXPECT_EQ(post(kRows), kAnswer);
  EXPECT_EQ(post(R"({"inputs":[[1,2,3,4]]})"), kAnswer);
  EXPECT_EQ(post(R"({"inputs":{"x":[[1,2,3,4]]},"params":{}})"), kAnswer);
  EXPECT_EQ(post(R"({"inputs":[[1,2,3,4]],"signature_name":"serving_default"})"), R"({"outputs":[[1.0,2.0,3.0,4.0]]})");
  EXPECT_EQ(post(R"({"instances":[{"x":[1,2,3,4]}],"parameters":{"k":1}})"), kAnswer);
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["a","b","c","d"],"index":[0],"data":[[1,2,3,4]]}})"), kAnswer);
  EXPECT_EQ(post(R"({"dataframe_records":[{"a":1,"b":2,"c":3,"d":4}]})"), kAnswer);
  EXPECT_EQ(post("1,2,3,4\n", 200, {{"content-type", "text/csv; charset=utf-8"}}), kAnswer);
  EXPECT_EQ(post("a,b,c,d\n1,2,3,4\n", 200, {{"content-type", "text/csv"}}), kAnswer);
  EXPECT_THAT(post(R"({"id":"7","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]})"),
              AllOf(HasSubstr(R"("id":"7","model_name":"m","model_version":"1")"),
                    HasSubstr(R"("outputs":[{"name":"y","datatype":"FP32","shape":[1,4],"data":[1.0,2.0,3.0,4.0]}])")));
}

TEST_F(Invocations, ASavedModelIsAskedAsTensorFlowServingIs) {
  start_with(saved_model());
  EXPECT_EQ(post(kRows), kAnswer);
  EXPECT_EQ(post(R"({"inputs":[[1,2,3,4]]})"), R"({"outputs":[[1.0,2.0,3.0,4.0]]})");
  EXPECT_EQ(post(R"({"inputs":[[1,2,3,4]],"params":{"a":1}})"), kAnswer);
  EXPECT_EQ(post(R"({"dataframe_split":{"data":[[1,2,3,4]]}})"), kAnswer);
  const std::string error = post(R"({"instances":[["x"]]})", 400);
  EXPECT_THAT(error, AllOf(StartsWith(R"({"error":)"), Not(HasSubstr("error_code"))));
}

TEST_F(Invocations, ColumnsGoToTheInputsOfTheirNames) {
  start_with(person());
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["id","more","age"],"data":[[7,true,1.5],[8,null,2]]}})"),
            R"({"predictions":[{"out_age":[1.5],"out_id":7},{"out_age":[2.0],"out_id":8}]})");
  EXPECT_EQ(post(R"({"dataframe_records":[{"word":"a","id":7,"age":1},{"id":8,"age":[2],"word":"é"}]})", 400),
            R"({"error_code":"BAD_REQUEST","message":"column 'age', row 1: the cell has shape [1], that of the first )"
            R"(row []; all must be alike"})");
  EXPECT_EQ(post(R"({"dataframe_records":[{"word":"a","id":7,"age":[1]},{"id":8.0,"age":[2],"word":"é"}]})"),
            R"({"predictions":[{"out_age":[1.0],"out_id":7,"out_word":["a"]},)"
            R"({"out_age":[2.0],"out_id":8,"out_word":["é"]}]})");
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["age","id"],"data":[[null,1]]}})"),
            R"({"predictions":[{"out_age":[NaN],"out_id":1}]})");
  EXPECT_EQ(post(R"({"dataframe_records":[{"id":1},{"more":2,"age":3,"id":4}]})"),
            R"({"predictions":[{"out_age":[NaN],"out_id":1},{"out_age":[3.0],"out_id":4}]})");
  EXPECT_EQ(post(R"({"inputs":{"age":[[1]],"id":[2]}})"), R"({"predictions":{"out_age":[[1.0]],"out_id":[2]}})");
  EXPECT_EQ(post("age,id,word\n1,2,a\n", 200, {{"content-type", "text/csv"}}),
            R"({"predictions":[{"out_age":[1.0],"out_id":2,"out_word":["a"]}]})");
}

TEST_F(Invocations, RowsOfAMatrixTakeTheShapeOfTheInput) {
  start_with(described("image", {{"x", DataType::kFp32, {-1, 2, 2}, {}, false}},
                       {{"y", DataType::kFp32, {-1, 2, 2}, {}, false}}));
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":[0,1,2,3],"data":[[1,2,3,4],[5,6,7,8]]}})"),
            R"({"predictions":[[[1.0,2.0],[3.0,4.0]],[[5.0,6.0],[7.0,8.0]]]})");
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["x"],"data":[[[[1,2],[3,4]]]]}})"),
            R"({"predictions":[[[1.0,2.0],[3.0,4.0]]]})");
}

TEST_F(Invocations, AColumnMayBeCalledLikeTheInputOfAMatrix) {
  start_with(testing::simple_description("m"));
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["x","y","z","w"],"data":[[1,2,3,4]]}})"), kAnswer);
  EXPECT_EQ(post(R"({"dataframe_split":{"columns":["note","x"],"data":[["a",[1,2,3,4]]]}})"), kAnswer);
}

TEST_F(Invocations, SaysWhatIsWrongWithATable) {
  start_with(person());
  struct Case {
    const char *body, *message;
  };
  const Case table[] = {
      {R"({"dataframe_split":[]})", "is an object with 'columns'"},
      {R"({"dataframe_split":{"columns":["age"]}})", "is an object with 'columns'"},
      {R"({"dataframe_split":{"columns":3,"data":[[1]]}})", "and no list of names"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[]}})", "'dataframe_split' has no rows"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[[1,2],[3]]}})", "row 1 of 'data' has 1 cells"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[[1,2],3]}})", "row 1 of 'data' is 3, and no array"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[[1,2],["a",3]]}})", "column 'age', row 1: input 'age'"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[[1,2.5]]}})",
       "column 'id', row 0: input 'id' takes INT64"},
      {R"({"dataframe_split":{"columns":["age","id"],"data":[[1,null]]}})", "which INT64 does not have"},
      {R"({"dataframe_split":{"columns":["age"],"data":[[1]]}})", "'age', 'id', 'word'; send a column for each"},
      {R"({"dataframe_records":{}})", "and no list of objects"},
      {R"({"dataframe_records":[]})", "'dataframe_records' has no rows"},
      {R"({"dataframe_records":[{"age":1,"id":2},7]})", "record 1 of 'dataframe_records' is 7, and no object"},
      {R"({"dataframe_records":[{"age":1,"id":2},{"age":1}]})", "column 'id', row 1: input 'id' takes INT64: null"},
      {R"({"dataframe_records":[{"age":1,"id":2},{"age":1,"id":2,"id":3}]})", "'dataframe_records' has 'id' twice"},
      {R"({"dataframe_records":[{"age":1,"id":2}],"instances":[1]})", "'dataframe_records' and 'instances'"},
      {R"({"dataframe_records":[{"age":1,"id":2}],"params":[1]})", "'params' is no object"},
      {R"({"dataframe_records":[{"age":1,"id":2}],"params":{"stop":["a"]}})", "parameter 'stop' of 'params'"},
      {R"({"dataframe_records":[{"age":1,"id":2}],"params":{"triton_x":1}})", "reserved for Triton"},
      {R"({"dataframe_records":[{"age":1,"id":2}],"params":{"priority":"x"}})", "'priority' parameter"},
      {R"({"instances":[{"age":[1],"id":2}],"parameters":{"signature_name":"a"}})", "it stands beside the values"},
      {R"({"dataframe_records":[{"age":1,"id":2}])", "no valid JSON"},
  };
  for (const Case& one : table)
    EXPECT_THAT(post(one.body, 400),
                AllOf(StartsWith(R"({"error_code":"BAD_REQUEST","message":)"), HasSubstr(one.message)))
        << one.body;
}

TEST_F(Invocations, WhatIsNoneOfThemIsToldOfAll) {
  start_with(testing::simple_description("m"));
  for (const char* body : {"", "{}", "[[1,2,3,4]]", "nothing", R"({"input":"hello"})"})
    EXPECT_THAT(post(body, 400),
                AllOf(StartsWith(R"({"error":)"), HasSubstr(R"("error_code":"BAD_REQUEST","message":)"),
                      HasSubstr("'dataframe_split' or 'dataframe_records'")))
        << body;
}

TEST_F(Invocations, WhatIsNoJsonIsToldWhy) {
  start_with(testing::simple_description("m"));
  for (const char* body : {"", "nothing", "{", R"({"instances":[[1,2,3,4])"})
    EXPECT_THAT(post(body, 400), HasSubstr("; read as JSON: the ")) << body;
  EXPECT_THAT(post(R"({"input":"hello"})", 400), Not(HasSubstr("read as JSON")));
}

TEST_F(Invocations, AnErrorIsNotAsLargeAsTheRequest) {
  start_with(person());
  std::string record = R"({"dataframe_records":[{"x":1)";
  for (int i = 0; i < 1000; ++i) record += R"(,")" + std::to_string(i) + std::string(100, 'n') + R"(":1)";
  for (const std::string& body :
       {record + "}]}", record + R"(,"x":2}]})",
        R"({"dataframe_records":[{"age":1,"id":2}],"params":{")" + std::string(100'000, 'p') + R"(":[]}})"})
    EXPECT_LT(post(body, 400).size(), 2000U);
}

TEST_F(Invocations, ParametersReachTheModel) {
  std::map<std::string, ParameterValue> seen;
  auto d = testing::simple_description("m");
  uint64_t priority = 0;
  SequenceControl sequence;
  catalog_.add(d, [&, d](InferRequestPtr request) {
    priority = request->priority;
    sequence = request->sequence;
    for (const auto& [name, value] : request->parameters) seen[name] = value;
    testing::echo(d, std::move(request));
  });
  start();
  post(R"({"instances":[[1,2,3,4]],"params":{"a":1,"b":"x","c":null}})");
  EXPECT_EQ(priority, 0U);
  post(R"({"instances":[[1,2,3,4]],"parameters":{"d":true,"e":0.5,"priority":2,"sequence_id":7}})");
  EXPECT_EQ(priority, 2U);
  EXPECT_EQ(std::get<uint64_t>(sequence.id), 7U);
  EXPECT_EQ(seen, (std::map<std::string, ParameterValue>{
                      {"a", int64_t{1}}, {"b", std::string("x")}, {"d", true}, {"e", 0.5}}));
}

TEST_F(Invocations, BinaryTensorsHaveTheMediaTypesOfTriton) {
  catalog_.add(testing::simple_description("m"));
  start("", {"/alive", "/v1/endpoints/1/deployedModels/2:predict"});
  const std::vector<float> row = {1, 2, 3, 4};
  const std::string data(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  const std::string head =
      R"({"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],)"
      R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  const auto check = [&](const wire::HttpReply& reply, std::string_view type) {
    ASSERT_EQ(reply.status, 200) << joined(reply.body);
    const std::string content_type = header_of(reply, "Content-Type");
    ASSERT_THAT(content_type, StartsWith(std::string(type)));
    const std::string body = joined(reply.body);
    const std::string length = content_type.substr(type.size());
    EXPECT_EQ(body.substr(std::stoul(length)), data);
    EXPECT_EQ(header_of(reply, "Inference-Header-Content-Length"), type == kserve_v2::kVertexBinary ? length : "");
  };
  for (const std::string_view type : {kserve_v2::kSageMakerBinary, kserve_v2::kVertexBinary})
    check(ask("POST", "/invocations", head + data, {{"content-type", std::string(type) + std::to_string(head.size())}}),
          type);
  const std::string json = R"({"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}],)"
                           R"("outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  check(ask("POST", "/invocations", json), kserve_v2::kSageMakerBinary);
  check(ask("POST", "/v1/endpoints/1/deployedModels/2:predict", json), kserve_v2::kVertexBinary);
  const auto own =
      ask("POST", "/invocations", head + data, {{"inference-header-content-length", std::to_string(head.size())}});
  EXPECT_NE(header_of(own, "Inference-Header-Content-Length"), "");
  for (const char* length : {"", "x", "-1", "9999"})
    EXPECT_THAT(post(head + data, 400, {{"content-type", std::string(kserve_v2::kSageMakerBinary) + length}}),
                HasSubstr("inference header size"))
        << length;
}

TEST_F(Invocations, AHandlerOfTorchServesGetsTheBodyAsItIs) {
  start();
  catalog_.add(testing::handler("echo"), [](InferRequestPtr request) {
    const Bytes data = request->inputs[0].contiguous();
    request->complete(testing::body_response(std::string(data.view().substr(sizeof(uint32_t)))));
  });
  const wire::HttpReply reply = ask("POST", "/invocations", "any\nthing", {{"content-type", "text/plain"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(joined(reply.body), HasSubstr("any\nthing"));
}

TEST_F(Invocations, HealthFollowsTheServer) {
  start("", {"/alive", "/ask"});
  for (const char* path : {"/health", "/alive"}) {
    ready_ = true;
    EXPECT_EQ(ask("GET", path).status, 200) << path;
    ready_ = false;
    EXPECT_EQ(ask("GET", path).status, 503) << path;
    EXPECT_EQ(ask("POST", path).status, 405) << path;
  }
  EXPECT_EQ(joined(ask("GET", "/version").body), "1.2.3");
}

TEST_F(Invocations, PathsAreThoseAndNoOthers) {
  catalog_.add(testing::simple_description("m"));
  start("", {"/alive", "/ask/me"});
  EXPECT_EQ(joined(ask("POST", "/ask/me", kRows).body), kAnswer);
  EXPECT_EQ(joined(ask("POST", "/invocations/", kRows).body), kAnswer);
  for (const char* path : {"/invocations", "/ask/me"}) EXPECT_EQ(ask("GET", path).status, 405) << path;
  for (const char* path : {"/invocations/m", "/health/live", "/ask", "/alive/x"})
    EXPECT_EQ(ask("POST", path).status, 404) << path;
}

TEST_F(Invocations, PathsBelowItsOwnMayBeVertexAis) {
  catalog_.add(testing::simple_description("m"));
  start("", {"/health/ready", "/invocations/m"});
  EXPECT_EQ(ask("GET", "/health/ready").status, 200);
  EXPECT_EQ(joined(ask("POST", "/invocations/m", kRows).body), kAnswer);
  EXPECT_EQ(ask("GET", "/health").status, 200);
  EXPECT_EQ(ask("GET", "/health/live").status, 404);
  EXPECT_EQ(joined(ask("POST", "/invocations", kRows).body), kAnswer);
}

TEST_F(Invocations, ItsOwnPathsMayBeVertexAis) {
  catalog_.add(testing::simple_description("m"));
  start("", {"/version", "/health"});
  EXPECT_EQ(joined(ask("GET", "/version").body), "\n");
  EXPECT_EQ(joined(ask("POST", "/health", kRows).body), kAnswer);
}

TEST_F(Invocations, BothPathsOfVertexAisMayBeOne) {
  catalog_.add(testing::simple_description("m"));
  start("", {"/one", "/one"});
  EXPECT_EQ(joined(ask("GET", "/one").body), "\n");
  EXPECT_EQ(joined(ask("POST", "/one", kRows).body), kAnswer);
  EXPECT_EQ(ask("PUT", "/one").status, 405);
  EXPECT_EQ(router_.group(http_request("GET", "/one")), wire::ApiGroup::kHealth);
  EXPECT_EQ(router_.group(http_request("POST", "/one")), wire::ApiGroup::kInference);
}

TEST_F(Invocations, APathThatIsServedAlreadyStaysAsItIsAndTheLogTells) {
  router_.add(
      "v2", [](const std::shared_ptr<wire::HttpExchange>& exchange) { exchange->reply(json_reply(200, "v2")); },
      wire::ApiGroup::kMetadata);
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  Log::configure({LogLevel::kInfo, LogFormat::kText, fileno(file)});
  start("", {"/alive", "/v2/models/m/infer"});
  Log::configure({});
  EXPECT_EQ(joined(ask("POST", "/v2/models/m/infer").body), "v2");
  EXPECT_EQ(ask("GET", "/alive").status, 200);
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_THAT(text, AllOf(HasSubstr("AIP_PREDICT_ROUTE"), HasSubstr("/v2/models/m/infer"), HasSubstr("metadata"),
                          Not(HasSubstr("AIP_HEALTH_ROUTE"))));
}

TEST_F(Invocations, EachPathHasAGroup) {
  start("", {"/alive", "/ask"});
  const auto group = [this](const char* method, const char* path) { return router_.group(http_request(method, path)); };
  EXPECT_EQ(group("POST", "/invocations"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("POST", "/ask"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("GET", "/alive"), wire::ApiGroup::kHealth);
  EXPECT_EQ(group("GET", "/health"), wire::ApiGroup::kHealth);
  EXPECT_EQ(group("GET", "/version"), wire::ApiGroup::kMetadata);
}

}  // namespace
}  // namespace modelmill::invocations
