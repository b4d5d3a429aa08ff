#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dialect/http_compression.h"
#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"
#include "wire/deflate.h"

namespace modelmill::kserve_v2 {
namespace {

using testing::FakeCatalog;
using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;
using testing::LoopThread;
using testing::simple_description;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A model that gives back what it gets, of one type.
ModelVersion::Description echo_model(const std::string& name, DataType dtype, Shape shape) {
  auto d = simple_description(name);
  d.definition.max_batch_size = 0;
  d.signature.inputs = {{"x", dtype, shape, {}, false}};
  d.signature.outputs = {{"y", dtype, shape, {}, false}};
  return d;
}

class HttpDialect : public ::testing::Test {
 protected:
  HttpDialect()
      : inference_(catalog_.catalog()), service_(inference_, {"modelmill", "1.2.3", [this] { return ready_; }}) {
    router_.add("v2", service_.http(), http_api_group);
  }

  wire::HttpReply ask(std::string method, std::string path, std::string body = "", Headers headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  wire::HttpReply infer(const std::string& body, Headers headers = {}, const std::string& model = "m") {
    return ask("POST", "/v2/models/" + model + "/infer", body, std::move(headers));
  }
  std::string error(const std::string& body, Headers headers = {}) {
    const wire::HttpReply reply = infer(body, std::move(headers));
    EXPECT_EQ(reply.status, 400);
    EXPECT_TRUE(joined(reply.body).starts_with(R"({"error":")")) << joined(reply.body);
    return joined(reply.body);
  }

  bool ready_ = true;
  LoopThread thread_;
  FakeCatalog catalog_;
  Inference inference_;
  Service service_;
  HttpRouter router_;
};

TEST_F(HttpDialect, Json) {
  catalog_.add(simple_description("m"));
  for (const char* data : {"[1,2.5,-3,4e2]", "[[1,2.5,-3,4e2]]", "[[[1,2.5]],[-3,4e2]]"}) {
    const auto reply = infer(R"({"id":"7","inputs":[{"name":"x","datatype":"FP32","data":)" + std::string(data) +
                             R"(,"shape":[1,4]}]})");
    EXPECT_EQ(
        joined(reply.body),
        R"({"id":"7","model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[1,4],"data":[1.0,2.5,-3.0,400.0]}]})");
    EXPECT_EQ(header_of(reply, "Content-Type"), "application/json");
  }
}

TEST_F(HttpDialect, NanAndInfinity) {
  catalog_.add(simple_description("m"));
  const auto reply =
      infer(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[NaN,Infinity,-Infinity,"NaN"]}]})");
  EXPECT_THAT(joined(reply.body), HasSubstr(R"("data":[NaN,Infinity,-Infinity,NaN])"));
  // What only looks like them, in strings and at their ends, stays as it is.
  const auto other = infer(
      R"({"id":"[NaN \" -Infinity \\","inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[NaN,-1,-Infinity,0]}]})");
  EXPECT_THAT(joined(other.body), HasSubstr(R"({"id":"[NaN \" -Infinity \\",)"));
  EXPECT_THAT(joined(other.body), HasSubstr(R"("data":[NaN,-1.0,-Infinity,0.0])"));
  for (const char* data : {"[NaNN]", "[-NaN]", "[Infinit", "[\"NaN", "NaN", "[N]"})
    EXPECT_EQ(
        infer(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":)" + std::string(data) + "}]}").status,
        400)
        << data;
}

TEST_F(HttpDialect, EveryTypeByJson) {
  const std::vector<std::pair<DataType, std::string>> cases = {
      {DataType::kBool, "[true,false]"},
      {DataType::kUint8, "[0,255]"},
      {DataType::kUint16, "[0,65535]"},
      {DataType::kUint32, "[0,4294967295]"},
      {DataType::kUint64, "[0,18446744073709551615]"},
      {DataType::kInt8, "[-128,127]"},
      {DataType::kInt16, "[-32768,32767]"},
      {DataType::kInt32, "[-2147483648,2147483647]"},
      {DataType::kInt64, "[-9223372036854775808,9223372036854775807]"},
      {DataType::kFp32, "[0.1,-2.5]"},
      {DataType::kFp64, "[0.1,-2.5]"},
      {DataType::kBytes, R"(["ab\n","é"])"}};
  for (const auto& [dtype, data] : cases) {
    const std::string name(dtype_name(dtype));
    catalog_.add(echo_model(name, dtype, {-1}));
    const auto reply =
        infer(R"({"inputs":[{"name":"x","shape":[2],"datatype":")" + name + R"(","data":)" + data + "}]}", {}, name);
    EXPECT_THAT(joined(reply.body), HasSubstr("\"data\":" + data)) << name;
  }
}

TEST_F(HttpDialect, Binary) {
  catalog_.add(simple_description("m"));
  const std::string head =
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2,4],"parameters":{"binary_data_size":32}}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]})";
  std::string data(32, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i);
  const auto reply = infer(head + data, {{"inference-header-content-length", std::to_string(head.size())}});
  ASSERT_EQ(reply.status, 200) << joined(reply.body);
  EXPECT_EQ(header_of(reply, "Content-Type"), "application/octet-stream");
  const size_t length = std::stoul(header_of(reply, "Inference-Header-Content-Length"));
  EXPECT_EQ(joined(reply.body).substr(length), data);
  EXPECT_THAT(joined(reply.body).substr(0, length), HasSubstr(R"("parameters":{"binary_data_size":32})"));
}

TEST_F(HttpDialect, MixedInputsAndOutputs) {
  auto d = simple_description("m");
  d.definition.max_batch_size = 0;
  d.signature.inputs = {{"a", DataType::kInt8, {-1}, {}, false},
                        {"b", DataType::kFp16, {-1}, {}, false},
                        {"c", DataType::kBytes, {-1}, {}, false}};
  d.signature.outputs = d.signature.inputs;
  catalog_.add(d);
  const std::string head = R"({"parameters":{"binary_data_output":true},"inputs":[)"
                           R"({"name":"c","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}},)"
                           R"({"name":"a","datatype":"INT8","shape":[3],"data":[1,2,3]},)"
                           R"({"name":"b","datatype":"FP16","shape":[1],"parameters":{"binary_data_size":2}}],)"
                           R"("outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":true}},{"name":"c"}]})";
  const auto reply =
      infer(head + std::string("\2\0\0\0hiXY", 8), {{"inference-header-content-length", std::to_string(head.size())}});
  ASSERT_EQ(reply.status, 200) << joined(reply.body);
  EXPECT_THAT(joined(reply.body), HasSubstr(R"("data":[1,2,3])"));
  EXPECT_THAT(joined(reply.body), HasSubstr(R"("data":["hi"])"));
  EXPECT_TRUE(joined(reply.body).ends_with("XY"));
}

TEST_F(HttpDialect, RawBody) {
  catalog_.add(simple_description("m"));
  const auto reply = infer(std::string(16, 'z'), {{"inference-header-content-length", "0"}});
  ASSERT_EQ(reply.status, 200) << joined(reply.body);
  EXPECT_TRUE(joined(reply.body).ends_with(std::string(16, 'z')));
}

TEST_F(HttpDialect, Classification) {
  auto d = simple_description("m");
  d.labels["y"] = {"a", "b", "c", "d"};
  catalog_.add(d);
  const auto reply = infer(
      R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,4,2,3]}],"outputs":[{"name":"y","parameters":{"classification":2}}]})");
  EXPECT_THAT(joined(reply.body),
              HasSubstr(R"("datatype":"BYTES","shape":[1,2],"data":["4.000000:1:b","3.000000:3:d"])"));
}

TEST_F(HttpDialect, ParametersReachTheModel) {
  Parameters seen;
  uint64_t sequence = 0;
  const auto d = simple_description("m");
  catalog_.add(d, [&](InferRequestPtr request) {
    seen = request->parameters;
    sequence = std::get<uint64_t>(request->sequence.id);
    testing::echo(d, std::move(request));
  });
  const auto reply = infer(
      R"({"parameters":{"sequence_id":9,"sequence_start":true,"mine":"v","n":-3},"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,4,2,3]}]})");
  EXPECT_EQ(reply.status, 200) << joined(reply.body);
  EXPECT_EQ(sequence, 9u);
  EXPECT_EQ(std::get<std::string>(*seen.find("mine")), "v");
  EXPECT_EQ(std::get<int64_t>(*seen.find("n")), -3);
}

TEST_F(HttpDialect, RefusesBadBodies) {
  catalog_.add(simple_description("m"));
  const auto input = [](const std::string& rest) {
    return R"({"inputs":[{"name":"x","datatype":"FP32",)" + rest + "}]}";
  };
  const Headers binary = {{"inference-header-content-length", "5"}};
  EXPECT_THAT(error(""), HasSubstr("failed to parse the request JSON buffer"));
  EXPECT_THAT(error("{\"inputs\":[}"), HasSubstr("failed to parse the request JSON buffer"));
  EXPECT_THAT(error("[1]"), HasSubstr("expected an object"));
  EXPECT_THAT(error("{}"), HasSubstr("Unable to parse 'inputs'"));
  EXPECT_THAT(error(R"({"inputs":[{}]})"), HasSubstr("But no field is set"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1,2,3])")),
              HasSubstr("there are 3 elements, the shape calls for 4"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1,2,3,4,5])")), HasSubstr("more elements than the shape's 4"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1,2,3,{"a":1}])")), HasSubstr("element 3 is"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1,2,3,"4"])")), HasSubstr("element 3 is"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":7)")), HasSubstr("expected an array"));
  EXPECT_THAT(error(input(R"("shape":[-1,4],"data":[1])")), HasSubstr("Unable to parse 'shape'"));
  EXPECT_THAT(error(input(R"("shape":[9223372036854775808],"data":[1])")), HasSubstr("invalid dimensions"));
  EXPECT_THAT(error(input(R"("shape":[4611686018427387904,4611686018427387904],"data":[1])")),
              HasSubstr("exceed maximum size"));
  EXPECT_THAT(error(input(R"("shape":[4611686018427387904],"data":[1])")), HasSubstr("more than JSON can bring"));
  EXPECT_THAT(error(input(R"("shape":[2000000000],"data":[1])")), HasSubstr("there are 1 elements"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1],"parameters":{"binary_data_size":4})")),
              HasSubstr("set 'data' 'binary_data_size'"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"parameters":{"binary_data_size":16})")),
              HasSubstr("expecting 16 additional bytes"));
  EXPECT_THAT(error("{}", binary), HasSubstr("inference header size should be in range (0, 2), got: 5"));
  EXPECT_THAT(error("{}", {{"inference-header-content-length", "x"}}),
              HasSubstr("Unable to parse Inference-Header-Content-Length"));
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":[1,2,3,4])") + "tail"), HasSubstr("failed to parse"));
  const std::string good = input(R"("shape":[1,4],"data":[1,2,3,4])");
  EXPECT_THAT(error(good + "tail", {{"inference-header-content-length", std::to_string(good.size())}}),
              HasSubstr("unexpected additional input data for model 'm'"));
  EXPECT_THAT(error(R"({"inputs":[{"name":"x","datatype":"FP16","shape":[1],"data":[1]}]})"),
              HasSubstr("receiving FP16 data via JSON is not supported"));
  EXPECT_THAT(error(R"({"inputs":[{"name":"x","datatype":"FP128","shape":[1],"data":[1]}]})"),
              HasSubstr("invalid datatype for input x"));
  std::string deep(300, '[');
  EXPECT_THAT(error(input(R"("shape":[1,4],"data":)" + deep + std::string(300, ']'))), HasSubstr("nesting depth"));
}

TEST_F(HttpDialect, IntegersMustFit) {
  catalog_.add(echo_model("m", DataType::kInt8, {-1}));
  for (const char* value : {"128", "-129", "1.5", "1.0", "true", "99999999999999999999"}) {
    const auto reply =
        infer(R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[)" + std::string(value) + "]}]}");
    EXPECT_EQ(reply.status, 400) << value;
  }
}

TEST_F(HttpDialect, GarbageNeverCrashes) {
  catalog_.add(simple_description("m"));
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string head =
      R"({"id":"1","parameters":{"a":1},"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"parameters":{"binary_data_size":16}}],"outputs":[{"name":"y"}]})";
  for (int i = 0; i < 1500; ++i) {
    std::string body = head + std::string(16, 'b');
    for (unsigned k = random() % 4; k > 0; --k) body[random() % body.size()] = static_cast<char>(random());
    body.resize(random() % 3 == 0 ? random() % body.size() : body.size());
    const auto reply = infer(body, {{"inference-header-content-length", std::to_string(head.size() - random() % 2)}});
    EXPECT_TRUE(reply.status == 200 || reply.status == 400) << reply.status;
  }
}

TEST_F(HttpDialect, Compression) {
  catalog_.add(echo_model("m", DataType::kFp32, {-1}));
  std::string numbers = "0";
  for (int i = 1; i < 1'000; ++i) numbers += ",0";
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1000],"data":[)" + numbers + "]}]}";
  Chunks plain;
  plain.push_back(Bytes::copy_of(body));
  for (const auto& [coding, format] :
       {std::pair<std::string, wire::DeflateFormat>{"gzip", wire::DeflateFormat::kGzip},
        std::pair<std::string, wire::DeflateFormat>{"deflate", wire::DeflateFormat::kZlib}}) {
    const std::string packed(wire::deflate_chunks(plain, format)->view());
    const auto reply = infer(packed, {{"content-encoding", coding}, {"accept-encoding", "br, " + coding + ";q=0.9"}});
    ASSERT_EQ(reply.status, 200) << joined(reply.body);
    EXPECT_EQ(header_of(reply, "Content-Encoding"), coding);
    EXPECT_THAT(std::string(decode_body(Bytes::copy_of(joined(reply.body)), coding, {1 << 20})->view()),
                HasSubstr("model_name"));
    EXPECT_EQ(infer(packed.substr(0, packed.size() / 2), {{"content-encoding", coding}}).status, 400);
    EXPECT_EQ(decode_body(Bytes::copy_of(packed), coding, {10}).status().code(), Code::kResourceExhausted);
  }
  EXPECT_EQ(infer(body, {{"content-encoding", "br"}}).status, 501);
  const auto small =
      infer(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]})", {{"accept-encoding", "gzip"}});
  EXPECT_EQ(small.status, 200);
  EXPECT_EQ(header_of(small, "Content-Encoding"), "") << "it would not be worth it";
}

TEST_F(HttpDialect, Questions) {
  catalog_.add(simple_description("m", 1));
  catalog_.add(simple_description("m", 2));
  catalog_.add_unready("broken", 1, "no such file");
  const auto body = [this](const std::string& path) { return joined(ask("GET", path).body); };
  EXPECT_THAT(body("/v2"), HasSubstr(R"({"name":"modelmill","version":"1.2.3","extensions":["classification",)"));
  EXPECT_EQ(
      body("/v2/models/m"),
      R"({"name":"m","versions":["1","2"],"platform":"fake_platform","inputs":[{"name":"x","datatype":"FP32","shape":[-1,4]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1,4]}]})");
  EXPECT_THAT(body("/v2/models/m/versions/2"), HasSubstr(R"("versions":["2"])"));
  EXPECT_EQ(body("/v2/models"), R"({"models":["broken","m"]})");
  EXPECT_EQ(body("/v2/models/m/ready"), R"({"name":"m","ready":true})");
  EXPECT_THAT(body("/v2/models/m/config"), HasSubstr(R"("max_batch_size":8)"));
  EXPECT_THAT(body("/v2/models/m/stats"), HasSubstr(R"({"model_stats":[{"name":"m","version":"1","last_inference":0)"));
  EXPECT_THAT(body("/v2/models/stats"), HasSubstr(R"("version":"2")"));
  EXPECT_EQ(
      joined(ask("POST", "/v2/repository/index").body),
      R"([{"name":"broken","version":"1","state":"UNAVAILABLE","reason":"no such file"},{"name":"m","version":"1","state":"READY"},{"name":"m","version":"2","state":"READY"}])");
  EXPECT_EQ(joined(ask("POST", "/v2/repository/index", R"({"ready":true})").body),
            R"([{"name":"m","version":"1","state":"READY"},{"name":"m","version":"2","state":"READY"}])");
  EXPECT_EQ(ask("POST", "/v2/repository/index", R"({"ready":1})").status, 400);
}

TEST_F(HttpDialect, StatusCodes) {
  catalog_.add(simple_description("m", 1));
  catalog_.add_unready("broken", 1, "no such file");
  const std::vector<std::tuple<std::string, std::string, int>> cases = {
      {"GET", "/v2/health/live", 200},
      {"GET", "/v2/health/ready", 200},
      {"POST", "/v2/health/live", 405},
      {"GET", "/v2/health/other", 404},
      {"POST", "/v2/models", 405},
      {"GET", "/v2/models/m/ready", 200},
      {"GET", "/v2/models/m/versions/1/ready", 200},
      {"GET", "/v2/models/m/versions/2/ready", 404},
      {"GET", "/v2/models/m/versions/x/ready", 404},
      {"GET", "/v2/models/m/versions/99999999999999999999/ready", 400},
      {"GET", "/v2/models/m/versions/0", 404},
      {"GET", "/v2/models/nobody", 404},
      {"GET", "/v2/models/nobody/ready", 404},
      {"GET", "/v2/models/broken/versions/1/ready", 400},
      {"GET", "/v2/models/nobody/stats", 400},
      {"POST", "/v2/models/m", 405},
      {"GET", "/v2/models/m/infer", 405},
      {"POST", "/v2/models/nobody/infer", 404},
      {"POST", "/v2/models/broken/versions/1/infer", 503},
      {"POST", "/v2/models/m/generate", 400},
      {"GET", "/v2/models/m/generate_stream", 405},
      {"GET", "/v2/models/m/other", 404},
      {"GET", "/v2/repository/index", 405},
      {"POST", "/v2/repository/models/m/load", 503},
      {"POST", "/v2/repository/models/m/unload", 503},
      {"POST", "/v2/repository/r/models/m/load", 501},
      {"GET", "/v2/systemsharedmemory/status", 200},
      {"GET", "/v2/cudasharedmemory/region/r/status", 404},
      {"POST", "/v2/systemsharedmemory/region/r/register", 501},
      {"POST", "/v2/systemsharedmemory/unregister", 501},
      {"GET", "/v2/logging", 200},
      {"POST", "/v2/trace/setting", 503},
      {"GET", "/v2/models/m/trace/setting", 503},
      {"GET", "/v2/other", 404},
      {"GET", "/other", 404},
      {"GET", "/v2/models/%zz", 400}};
  for (const auto& [method, path, status] : cases) EXPECT_EQ(ask(method, path).status, status) << method << " " << path;
  ready_ = false;
  EXPECT_EQ(ask("GET", "/v2/health/ready").status, 400);
  EXPECT_EQ(joined(ask("GET", "/v2/health/ready").body), R"({"ready":false})");
  EXPECT_EQ(joined(ask("GET", "/v2/health/live").body), R"({"live":true})");
  EXPECT_EQ(ask("GET", "/v2/health/live").status, 200);
}

TEST_F(HttpDialect, AbandonedRequestsAreCancelled) {
  InferRequestPtr waiting;
  const auto d = simple_description("m");
  catalog_.add(d, [&](InferRequestPtr request) { waiting = std::move(request); });
  const auto exchange = std::make_shared<testing::FakeExchange>(
      thread_.loop(), http_request("POST", "/v2/models/m/infer",
                                   R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]})"));
  thread_.run([&] { router_.handle(exchange); });
  EXPECT_FALSE(waiting->cancelled());
  thread_.run([&] { exchange->abandoned(); });
  EXPECT_TRUE(waiting->cancelled());
  testing::echo(d, std::move(waiting));  // from another thread than the loop's
  EXPECT_EQ(exchange->wait().status, 200);
}

TEST_F(HttpDialect, AccessLog) {
  std::vector<std::string> lines;
  router_.set_access_log([&](const AccessRecord& r) {
    lines.push_back(std::string(r.method) + " " + std::string(r.path) + " " + std::to_string(r.status) + " " +
                    std::to_string(r.bytes) + " " + std::string(r.request_id));
  });
  ask("GET", "/v2/health/live", "", {{"x-request-id", "q1"}});
  ask("GET", "/nowhere");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "GET /v2/health/live 200 13 q1");
  EXPECT_TRUE(lines[1].starts_with("GET /nowhere 404 "));
}

}  // namespace
}  // namespace modelmill::kserve_v2
