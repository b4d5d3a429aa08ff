#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <tuple>

#include "dialect/admin/service.h"
#include "dialect/http_compression.h"
#include "dialect/http_router.h"
#include "dialect/predict/sample.h"
#include "dialect/predict/service.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"
#include "tensor/npy.h"

namespace modelmill::predict {
namespace {

using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using testing::joined;
using testing::simple_description;

class Predict : public ::testing::Test {
 protected:
  Predict() : inference_(catalog_.catalog()) {
    router_.add("predict", make_handler(inference_), http_api_group);
    admin::add_to(router_, catalog_.catalog(), metrics_);
  }

  wire::HttpReply ask(std::string method, std::string path, std::string body = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  std::string post(const std::string& body, const std::string& model = "m") {
    return joined(ask("POST", "/predict/" + model, body).body);
  }
  void add(const std::string& name, DataType dtype, Shape shape) {
    auto d = simple_description(name);
    d.definition.max_batch_size = 0;
    d.signature.inputs = {{"x", dtype, shape, {}, false}};
    d.signature.outputs = {{"y", dtype, shape, {}, false}};
    catalog_.add(d);
  }
  void add_two() {
    auto d = simple_description("two");
    d.signature.inputs = {{"a", DataType::kInt64, {-1, 1}, {}, false}, {"b", DataType::kFp32, {-1}, {}, false}};
    d.signature.outputs = {{"c", DataType::kInt64, {-1, 1}, {}, false}, {"d", DataType::kFp32, {-1}, {}, false}};
    catalog_.add(d);
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  MetricRegistry metrics_;
  Inference inference_;
  HttpRouter router_;
};

TEST_F(Predict, LargeRepliesAreCompressedForWhoWantsIt) {
  add("m", DataType::kFp32, {-1});
  std::vector<std::shared_ptr<Counter>> counters;
  for (int i = 0; i < 100; ++i) counters.push_back(metrics_.counter("c" + std::to_string(i), "help", {}));
  std::string body = R"({"x": [0)";
  for (int i = 1; i < 1'000; ++i) body += ", 0";
  body += "]}";
  const std::string small = R"({"x": [1]})";
  for (const auto& [method, path, sent] : {std::tuple{"GET", "/metrics", &small}, {"POST", "/predict/m", &body}}) {
    const auto reply = ask(method, path, *sent, {{"accept-encoding", "deflate;q=0.5, gzip"}});
    EXPECT_EQ(header_of(reply, "Content-Encoding"), "gzip") << path;
    const auto plain = ask(method, path, *sent);
    EXPECT_EQ(header_of(plain, "Content-Encoding"), "") << path;
    EXPECT_EQ(decode_body(Bytes::copy_of(joined(reply.body)), "gzip", {1 << 20})->view(), joined(plain.body));
  }
  EXPECT_EQ(header_of(ask("GET", "/metrics"), "Vary"), "Accept-Encoding");
  EXPECT_EQ(header_of(ask("POST", "/predict/m", small, {{"accept-encoding", "gzip"}}), "Content-Encoding"), "");
}

TEST_F(Predict, Json) {
  catalog_.add(simple_description("m"));
  EXPECT_EQ(post(R"({"x":[[1,2,3,4],[5,6,7,8.5]]})"), "{\"y\":[[1.0,2.0,3.0,4.0],[5.0,6.0,7.0,8.5]]}\n");
  EXPECT_EQ(post("[[1,2,3,4]]"), "{\"y\":[[1.0,2.0,3.0,4.0]]}\n");
  EXPECT_EQ(post("[1,2,3,4]"), "{\"y\":[1.0,2.0,3.0,4.0]}\n");  // without the batch dimension, both ways
  EXPECT_EQ(ask("POST", "/predict/m/versions/1", "[1,2,3,4]").status, 200);
}

TEST_F(Predict, Types) {
  add("half", DataType::kFp16, {-1});
  EXPECT_EQ(post("[1,0.5]", "half"), "{\"y\":[1.0,0.5]}\n");
  add("long", DataType::kInt64, {-1});
  EXPECT_EQ(post("[1,2.0]", "long"), "{\"y\":[1,2]}\n");
  EXPECT_THAT(post("[1,2.5]", "long"), HasSubstr("takes INT64: element 1 is 2.5"));
  add("flag", DataType::kBool, {-1});
  EXPECT_EQ(post("[1,false]", "flag"), "{\"y\":[true,false]}\n");
  add("text", DataType::kBytes, {-1, 1});
  EXPECT_EQ(post(R"([["a"],["b"]])", "text"), "{\"y\":[[\"a\"],[\"b\"]]}\n");
  add("number", DataType::kInt64, {});
  EXPECT_EQ(post(R"({"x":16000})", "number"), "{\"y\":16000}\n");
}

TEST_F(Predict, SeveralInputs) {
  add_two();
  EXPECT_EQ(post(R"({"b":[1,2],"a":[[3],[4]]})", "two"), "{\"c\":[[3],[4]],\"d\":[1.0,2.0]}\n");
  EXPECT_EQ(joined(ask("POST", "/predict/two", "b,a\n1,3\n2,4\n", {{"content-type", "text/csv"}}).body),
            "{\"c\":[[3],[4]],\"d\":[1.0,2.0]}\n");
  EXPECT_EQ(joined(ask("POST", "/predict/two?output=c", R"({"b":[1,2],"a":[[3],[4]]})", {{"accept", "text/csv"}}).body),
            "3\n4\n");
  EXPECT_THAT(post("[1]", "two"), HasSubstr("this model has 2: 'a', 'b'"));
  EXPECT_THAT(joined(ask("POST", "/predict/two", R"({"b":[1,2],"a":[[3],[4]]})", {{"accept", "text/csv"}}).body),
              HasSubstr("name one with ?output=NAME"));
}

TEST_F(Predict, Csv) {
  catalog_.add(simple_description("m"));
  const auto reply =
      ask("POST", "/predict/m", "p,q,r,s\n1,2,3,4\n5,6,7,8\n", {{"content-type", "text/csv"}, {"accept", "text/csv"}});
  EXPECT_EQ(joined(reply.body), "1,2,3,4\n5,6,7,8\n");
  EXPECT_EQ(post("1,2,3,4\n"), "{\"y\":[[1.0,2.0,3.0,4.0]]}\n");  // known by its content
  add("image", DataType::kUint8, {-1, 2, 2});
  EXPECT_EQ(post("1,2,3,4\n", "image"), "{\"y\":[[[1,2],[3,4]]]}\n");
  EXPECT_THAT(post("1,2,x,4\n"), HasSubstr("row 1, column 3: 'x'"));
}

TEST_F(Predict, Npy) {
  catalog_.add(simple_description("m"));
  Tensor t;
  t.dtype = DataType::kFp64;
  t.shape = {1, 4};
  const double values[] = {1, 2, 3, 4};
  t.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values), sizeof values}));
  const auto reply = ask("POST", "/predict/m", joined(write_npy(t)), {{"accept", "application/x-npy"}});
  ASSERT_EQ(reply.status, 200) << joined(reply.body);
  EXPECT_EQ(header_of(reply, "Content-Type"), "application/x-npy");
  const Tensor back = parse_npy(Bytes::copy_of(joined(reply.body))).value();
  EXPECT_EQ(back.dtype, DataType::kFp32);
  EXPECT_EQ(shape_text(dims(back.shape)), "[1,4]");
}

TEST_F(Predict, ErrorsTeach) {
  catalog_.add(simple_description("m"));
  const auto reply = ask("POST", "/predict/m", R"({"z":[1]})", {{"host", "example:1"}});
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(joined(reply.body),
            "{\"error\":\"'z' is no input of this model; its inputs are "
            "'x'\",\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,4]}],"
            "\"example\":\"curl http://example:1/predict/m -d '{\\\"x\\\": [[0.5,0.5,0.5,0.5]]}'\"}\n");
  EXPECT_THAT(post("[1,2]"), HasSubstr("input 'x' has shape [2], expected [-1,4]"));
  EXPECT_THAT(post("[[1,2,3,4],[1]]"), HasSubstr("all must be equally long"));
  EXPECT_THAT(post("[[1,2,3,4],5]"), HasSubstr("a value stands where the first element is an array"));
  EXPECT_THAT(post("[1,[2],3,4]"), HasSubstr("an array stands where the first element is a value"));
  EXPECT_THAT(post(""), HasSubstr("no body"));
  EXPECT_THAT(post("{"), HasSubstr("no valid JSON"));
  EXPECT_EQ(ask("POST", "/predict/nobody", "[1]").status, 404);
  EXPECT_EQ(ask("POST", "/predict", "[1]").status, 404);
  EXPECT_EQ(ask("PUT", "/predict/m", "[1]").status, 405);
}

TEST_F(Predict, UsageAndFrontPage) {
  catalog_.add(simple_description("m"));
  EXPECT_THAT(joined(ask("GET", "/predict/m").body),
              HasSubstr("curl http://localhost:8000/predict/m -d '{\"x\": [[0.5,0.5,0.5,0.5]]}'"));
  const auto counter = metrics_.counter("mm_test_total", "A test.", {});
  counter->add(3);
  const auto metrics = ask("GET", "/metrics");
  EXPECT_THAT(header_of(metrics, "Content-Type") + header_of(metrics, "content-type"), HasSubstr("text/plain"));
  EXPECT_THAT(joined(metrics.body), HasSubstr("mm_test_total 3"));
}

TEST(Sample, LargeInputsAreMadeByPython) {
  Signature signature;
  signature.inputs = {{"it's", DataType::kFp32, {-1, 3, 48, -1}, {}, false}, {"n", DataType::kInt64, {}, {}, false}};
  EXPECT_EQ(
      sample_curl("http://h:1", "a b", signature),
      R"(python3 -c 'import json; print(json.dumps({"it'\''s": [[[[0.5]*64]*48]*3], "n": 1}))' | curl http://h:1/predict/a%20b --data-binary @-)");
}

}  // namespace
}  // namespace modelmill::predict
