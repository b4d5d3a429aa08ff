#include "dialect/large_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/predict/service.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"
#include "wire/deflate.h"

namespace modelmill {
namespace {

using testing::FakeExchange;
using ::testing::HasSubstr;
using testing::http_request;
using testing::joined;

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Path {
  const char* path;
  const char* before;  // the numbers, in the body
  const char* after;
};

/// The three ways in, for a model with one input "x" of any number of FP32.
const Path kPaths[] = {
    {"/v2/models/m/infer", R"({"inputs":[{"name":"x","shape":[COUNT],"datatype":"FP32","data":[)", "]}]}"},
    {"/v2/models/m/generate", R"({"x":[)", "]}"},
    {"/predict/m", R"({"x":[)", "]}"},
};

std::string body_of(const Path& path, int count) {
  std::string text = path.before;
  if (const size_t at = text.find("COUNT"); at != std::string::npos) text.replace(at, 5, std::to_string(count));
  for (int i = 0; i < count; ++i) text += i == 0 ? "0.5" : ",0.5";
  return text + path.after;
}

std::string gzip(const std::string& text) {
  const auto deflated = wire::deflate_chunks({Bytes::copy_of(text)}, wire::DeflateFormat::kGzip);
  return std::string(deflated->view());
}

class LargeWork : public ::testing::Test {
 protected:
  LargeWork() : inference_(catalog_.catalog()) {
    auto d = testing::simple_description("m");
    d.definition.max_batch_size = 0;
    d.signature.inputs = {{"x", DataType::kFp32, {-1}, {}, false}};
    d.signature.outputs = {{"y", DataType::kFp32, {-1}, {}, false}};
    catalog_.add(d, [this, d](InferRequestPtr request) {
      on_loop_ = thread_.loop().on_thread();
      ++reached_;
      testing::echo(d, std::move(request));
    });
    HttpOptions options;
    options.offload = &offload_;
    service_ = std::make_unique<kserve_v2::Service>(inference_, kserve_v2::Service::Options{"", "", {}, options});
    router_.add("v2", service_->http(), kserve_v2::http_api_group);
    router_.add("predict", predict::make_handler(inference_, options), predict::http_api_group);
  }

  wire::HttpReply ask(const Path& path, const std::string& body, Headers headers = {}) {
    return testing::ask(thread_, router_.handler(), http_request("POST", path.path, body, std::move(headers)));
  }
  /// Keeps the only thread of the offload busy, and its place to wait taken, until release().
  void fill_offload() {
    std::promise<void> begun;
    ASSERT_TRUE(offload_.run([&, gate = gate_.get_future().share()] {
      begun.set_value();
      gate.wait();
    }));
    begun.get_future().wait();
    ASSERT_TRUE(offload_.run([] {}));
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  std::unique_ptr<kserve_v2::Service> service_;
  HttpRouter router_;
  bool on_loop_ = false;  // whether the model was reached on the loop
  int reached_ = 0;       // how often it was
  std::promise<void> gate_;
  Offload offload_{1, 1};
};

TEST_F(LargeWork, SmallBodiesAreReadOnTheLoop) {
  for (const Path& path : kPaths) {
    const std::string body = body_of(path, 1000);
    EXPECT_EQ(ask(path, body).status, 200) << path.path;
    EXPECT_TRUE(on_loop_) << path.path;
    on_loop_ = false;
    EXPECT_EQ(ask(path, gzip(body), {{"content-encoding", "gzip"}}).status, 200) << path.path;
    EXPECT_TRUE(on_loop_) << path.path;
  }
}

TEST_F(LargeWork, LargeBodiesAreReadElsewhere) {
  for (const Path& path : kPaths) {
    const std::string body = body_of(path, 50'000);
    on_loop_ = true;
    const wire::HttpReply reply = ask(path, body);
    EXPECT_EQ(reply.status, 200) << path.path;
    EXPECT_THAT(joined(reply.body), HasSubstr("0.5,0.5"));
    EXPECT_FALSE(on_loop_) << path.path;
    on_loop_ = true;
    // A few hundred bytes that become as many.
    const std::string small = gzip(body);
    ASSERT_LT(small.size(), kLoopBytes);
    EXPECT_EQ(ask(path, small, {{"content-encoding", "gzip"}}).status, 200) << path.path;
    EXPECT_FALSE(on_loop_) << path.path;
  }
}

TEST_F(LargeWork, BinaryDataIsOnlyViewed) {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[50000],"datatype":"FP32","parameters":{"binary_data_size":200000}}]})";
  const wire::HttpReply reply = ask(kPaths[0], json + std::string(200'000, '\0'),
                                    {{"inference-header-content-length", std::to_string(json.size())}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(on_loop_);
}

TEST_F(LargeWork, LargeTypedContentsAreReadElsewhere) {
  wire::GrpcMethods methods;
  service_->add_to(methods);
  for (const int count : {100, 50'000}) {
    inference::ModelInferRequest message;
    message.set_model_name("m");
    auto& input = *message.add_inputs();
    input.set_name("x");
    input.set_datatype("FP32");
    input.add_shape(count);
    for (int i = 0; i < count; ++i) input.mutable_contents()->add_fp32_contents(0.5f);
    const auto call = std::make_shared<testing::FakeCall>(thread_.loop(), "/inference.GRPCInferenceService/ModelInfer");
    std::promise<void> begun, gate;
    ASSERT_TRUE(offload_.run([&] {
      begun.set_value();
      gate.get_future().wait();
    }));
    begun.get_future().wait();
    std::unique_ptr<wire::GrpcCallHandler> handler;
    bool waits = false;
    thread_.run([&] {
      handler = methods.find("/inference.GRPCInferenceService/ModelInfer")->make(call);
      testing::feed(*handler, message.SerializeAsString());
      handler->on_half_close();
      waits = !call->status;
    });
    EXPECT_EQ(waits, count > 100);
    gate.set_value();
    call->wait_finished();
    inference::ModelInferResponse answer;
    ASSERT_TRUE(answer.ParseFromString(call->sent.at(0)));
    EXPECT_EQ(answer.raw_output_contents(0).size(), count * sizeof(float));
    thread_.run([&] { handler.reset(); });
  }
}

TEST_F(LargeWork, ErrorsInLargeBodiesAreTold) {
  for (const Path& path : kPaths) {
    EXPECT_EQ(ask(path, body_of(path, 50'000) + "]").status, 400) << path.path;
    EXPECT_EQ(ask(path, std::string(100'000, 'x'), {{"content-encoding", "gzip"}}).status, 400) << path.path;
  }
}

TEST_F(LargeWork, TooManyLargeBodiesAreRefused) {
  fill_offload();
  for (const Path& path : kPaths) {
    const wire::HttpReply refused = ask(path, body_of(path, 50'000));
    EXPECT_EQ(refused.status, 503) << path.path;
    EXPECT_THAT(joined(refused.body), HasSubstr("more large requests wait to be read"));
    EXPECT_EQ(ask(path, body_of(path, 10)).status, 200) << path.path;
  }
  gate_.set_value();
}

TEST_F(LargeWork, AClientThatGoesMeanwhileIsNotServed) {
  for (const Path& path : kPaths) {
    std::promise<void> begun, gate;
    ASSERT_TRUE(offload_.run([&] {
      begun.set_value();
      gate.get_future().wait();
    }));
    begun.get_future().wait();
    const auto exchange =
        std::make_shared<FakeExchange>(thread_.loop(), http_request("POST", path.path, body_of(path, 50'000)));
    thread_.run([&] {
      router_.handle(exchange);
      exchange->abandoned();
    });
    gate.set_value();
    EXPECT_EQ(exchange->wait().status, 499) << path.path;
  }
  EXPECT_EQ(reached_, 0);
}

}  // namespace
}  // namespace modelmill
