#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using testing::FakeCall;
using testing::FakeCatalog;
using testing::feed;
using ::testing::HasSubstr;
using testing::LoopThread;
using testing::simple_description;

std::string request_bytes(const std::string& model, const std::string& id, int rows = 1) {
  inference::ModelInferRequest m;
  m.set_model_name(model);
  m.set_id(id);
  auto& input = *m.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(rows);
  input.add_shape(4);
  m.add_raw_input_contents(std::string(rows * 16, 'q'));
  return m.SerializeAsString();
}

class GrpcDialect : public ::testing::Test {
 protected:
  GrpcDialect() : inference_(catalog_.catalog()), service_(inference_, {"modelmill", "1.2.3", {}}) {
    service_.add_to(methods_);
  }

  std::unique_ptr<wire::GrpcCallHandler> open(const std::string& method, std::shared_ptr<FakeCall> call) {
    const auto* factory = methods_.find(method_path(method));
    return factory->make(std::move(call));
  }

  /// A unary call to its end.
  std::shared_ptr<FakeCall> unary(const std::string& method, const std::string& message, size_t piece = SIZE_MAX) {
    return testing::call_unary(thread_, methods_, method_path(method), message, piece);
  }

  template <typename Response, typename Request>
  Response ask(const std::string& method, const Request& request) {
    const auto call = unary(method, request.SerializeAsString());
    EXPECT_TRUE(call->status->ok()) << call->status->to_string();
    Response response;
    EXPECT_TRUE(response.ParseFromString(call->sent.at(0)));
    return response;
  }

  LoopThread thread_;
  FakeCatalog catalog_;
  Inference inference_;
  Service service_;
  wire::GrpcMethods methods_;
};

TEST_F(GrpcDialect, Infers) {
  catalog_.add(simple_description("m", 3));
  for (const size_t piece : {size_t{1}, size_t{7}, SIZE_MAX}) {
    const auto call = unary("ModelInfer", request_bytes("m", "id1"), piece);
    ASSERT_TRUE(call->status->ok()) << call->status->to_string();
    inference::ModelInferResponse response;
    ASSERT_TRUE(response.ParseFromString(call->sent.at(0)));
    EXPECT_EQ(response.id(), "id1");
    EXPECT_EQ(response.model_version(), "3");
    EXPECT_EQ(response.outputs(0).name(), "y");
    EXPECT_EQ(response.raw_output_contents(0), std::string(16, 'q'));
  }
}

/// Of code with an open signature: what it says beside its outputs.
void answer_openly(const ModelVersion::Description& d, InferRequestPtr request) {
  InferResponse response;
  response.version = d.version;
  Tensor& y = response.outputs.emplace_back(request->inputs[0]);
  y.name = "z";
  response.parameters.set("modelmill_answer", std::string(R"({"version": "v2", "parameters": {"n": 7}})"));
  request->complete(std::move(response));
}

/// A route, or a model that is loaded on demand, may lead to such code that was not known when the request came.
TEST_F(GrpcDialect, AnAnswerSaysItselfThatItIsAnOpenModels) {
  auto d = simple_description("m");
  catalog_.add(d, [d](InferRequestPtr request) { answer_openly(d, std::move(request)); });
  const auto call = unary("ModelInfer", request_bytes("m", "i"));
  ASSERT_TRUE(call->status->ok()) << call->status->to_string();
  inference::ModelInferResponse response;
  ASSERT_TRUE(response.ParseFromString(call->sent.at(0)));
  EXPECT_EQ(response.id(), "i");
  EXPECT_EQ(response.model_version(), "v2");
  EXPECT_EQ(response.parameters().at("n").int64_param(), 7);
  EXPECT_FALSE(response.parameters().contains("modelmill_answer"));
  EXPECT_EQ(response.outputs(0).name(), "z");
}

TEST_F(GrpcDialect, AnswersFromOtherThreads) {
  std::vector<std::thread> threads;
  const auto d = simple_description("m");
  catalog_.add(d, [&](InferRequestPtr request) {
    threads.emplace_back([d, r = std::move(request)]() mutable { testing::echo(d, std::move(r)); });
  });
  EXPECT_TRUE(unary("ModelInfer", request_bytes("m", ""))->status->ok());
  for (std::thread& t : threads) t.join();
}

TEST_F(GrpcDialect, Errors) {
  catalog_.add(simple_description("m"));
  EXPECT_EQ(unary("ModelInfer", request_bytes("nobody", ""))->status->code(), Code::kNotFound);
  EXPECT_EQ(unary("ModelInfer", "garbage")->status->code(), Code::kInvalidArgument);
  EXPECT_EQ(unary("ModelInfer", "")->status->code(), Code::kNotFound);  // a model named ""
  EXPECT_THAT(unary("ModelInfer", request_bytes("m", "", 9))->status->message(), HasSubstr("batch-size must be <= 8"));
}

TEST_F(GrpcDialect, EndsWithoutAMessage) {
  const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelInfer"));
  std::unique_ptr<wire::GrpcCallHandler> handler;
  thread_.run([&] {
    handler = open("ModelInfer", call);
    handler->on_half_close();
    handler.reset();
  });
  EXPECT_FALSE(call->status->ok());
}

TEST_F(GrpcDialect, CancelReachesTheRequest) {
  InferRequestPtr waiting;
  catalog_.add(simple_description("m"), [&](InferRequestPtr request) { waiting = std::move(request); });
  const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelInfer"));
  thread_.run([&] {
    auto handler = open("ModelInfer", call);
    feed(*handler, request_bytes("m", ""));
    EXPECT_FALSE(waiting->cancelled());
    handler->on_cancel(cancelled("gone"));
  });
  EXPECT_EQ(waiting->cancel->reason(), CancelToken::Reason::kClientGone);
  thread_.run([&] { waiting->fail(cancelled("gone")); });
}

inference::ModelStreamInferResponse stream_message(const std::string& bytes) {
  inference::ModelStreamInferResponse m;
  EXPECT_TRUE(m.ParseFromString(bytes));
  return m;
}

TEST_F(GrpcDialect, StreamKeepsTheOrderOfRequests) {
  std::vector<InferRequestPtr> waiting;
  const auto d = simple_description("m");
  catalog_.add(d, [&](InferRequestPtr request) { waiting.push_back(std::move(request)); });
  const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelStreamInfer"));
  std::unique_ptr<wire::GrpcCallHandler> handler;
  thread_.run([&] {
    handler = open("ModelStreamInfer", call);
    for (const char* id : {"a", "b", "c"}) feed(*handler, request_bytes("m", id));
    feed(*handler, request_bytes("nobody", "d"));
    handler->on_half_close();
    ASSERT_EQ(waiting.size(), 3u);
    testing::echo(d, std::move(waiting[1]));
    EXPECT_TRUE(call->sent.empty());
    testing::echo(d, std::move(waiting[0]));
    EXPECT_EQ(call->sent.size(), 2u);
    EXPECT_FALSE(call->status);
  });
  std::thread([&] { testing::echo(d, std::move(waiting[2])); }).join();
  call->wait_finished();
  EXPECT_TRUE(call->status->ok());
  ASSERT_EQ(call->sent.size(), 4u);
  std::string ids;
  for (const std::string& bytes : call->sent) ids += stream_message(bytes).infer_response().id();
  EXPECT_EQ(ids, "abcd");
  EXPECT_TRUE(stream_message(call->sent[0]).infer_response().parameters().at("triton_final_response").bool_param());
  EXPECT_THAT(stream_message(call->sent[3]).error_message(), HasSubstr("unknown model"));
  thread_.run([&] { handler.reset(); });
}

TEST_F(GrpcDialect, StreamEndsAtTheFirstErrorWhenAsked) {
  const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelStreamInfer"),
                                               wire::GrpcMetadata{{"triton_grpc_error", "true"}});
  thread_.run([&] {
    auto handler = open("ModelStreamInfer", call);
    feed(*handler, request_bytes("nobody", "d"));
  });
  EXPECT_EQ(call->status->code(), Code::kNotFound);
  EXPECT_TRUE(call->sent.empty());
}

TEST_F(GrpcDialect, DecoupledModelsAnswerAnyNumberOfTimes) {
  auto d = simple_description("m");
  d.definition.decoupled = true;
  catalog_.add(d, [](InferRequestPtr request) {
    request->respond({});
    request->respond({});
    request->finish();
  });
  EXPECT_EQ(unary("ModelInfer", request_bytes("m", ""))->status->code(), Code::kUnimplemented);
  for (const bool empty_final : {false, true}) {
    inference::ModelInferRequest m;
    ASSERT_TRUE(m.ParseFromString(request_bytes("m", "r")));
    if (empty_final) (*m.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
    const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelStreamInfer"));
    thread_.run([&] {
      auto handler = open("ModelStreamInfer", call);
      feed(*handler, m.SerializeAsString());
      handler->on_half_close();
    });
    EXPECT_TRUE(call->status->ok());
    ASSERT_EQ(call->sent.size(), empty_final ? 3u : 2u);
    const auto last = stream_message(call->sent.back()).infer_response();
    EXPECT_EQ(last.parameters().at("triton_final_response").bool_param(), empty_final);
    EXPECT_EQ(last.id(), "r");
  }
}

TEST_F(GrpcDialect, StreamStopsReadingWhenTooMuchIsInFlight) {
  std::vector<InferRequestPtr> waiting;
  const auto d = simple_description("m");
  catalog_.add(d, [&](InferRequestPtr request) { waiting.push_back(std::move(request)); });
  const auto call = std::make_shared<FakeCall>(thread_.loop(), method_path("ModelStreamInfer"));
  thread_.run([&] {
    auto handler = open("ModelStreamInfer", call);
    while (!call->paused) {
      feed(*handler, request_bytes("m", ""));
      ASSERT_LT(waiting.size(), 10000u);
    }
    const size_t most = waiting.size();
    while (call->paused) {
      testing::echo(d, std::move(waiting.back()));
      waiting.pop_back();
    }
    EXPECT_EQ(waiting.size(), most / 2 - 1);
    for (auto& request : waiting) testing::echo(d, std::move(request));
    handler->on_half_close();
  });
  EXPECT_TRUE(call->status->ok());
}

TEST_F(GrpcDialect, Questions) {
  catalog_.add(simple_description("m", 1));
  catalog_.add(simple_description("m", 2));
  catalog_.add_unready("broken", 1, "no such file");
  using namespace inference;
  EXPECT_TRUE(ask<ServerLiveResponse>("ServerLive", ServerLiveRequest()).live());
  EXPECT_TRUE(ask<ServerReadyResponse>("ServerReady", ServerReadyRequest()).ready());
  const auto server = ask<ServerMetadataResponse>("ServerMetadata", ServerMetadataRequest());
  EXPECT_EQ(server.version(), "1.2.3");
  ModelMetadataRequest about;
  about.set_name("m");
  const auto metadata = ask<ModelMetadataResponse>("ModelMetadata", about);
  EXPECT_THAT(metadata.versions(), ::testing::ElementsAre("1", "2"));
  EXPECT_THAT(metadata.inputs(0).shape(), ::testing::ElementsAre(-1, 4));
  ModelReadyRequest ready;
  ready.set_name("m");
  EXPECT_TRUE(ask<ModelReadyResponse>("ModelReady", ready).ready());
  ModelConfigRequest config;
  config.set_name("m");
  EXPECT_EQ(ask<ModelConfigResponse>("ModelConfig", config).config().max_batch_size(), 8);
  const auto statistics = ask<ModelStatisticsResponse>("ModelStatistics", ModelStatisticsRequest());
  EXPECT_EQ(statistics.model_stats_size(), 2);
  const auto index = ask<RepositoryIndexResponse>("RepositoryIndex", RepositoryIndexRequest());
  ASSERT_EQ(index.models_size(), 3);
  EXPECT_EQ(index.models(0).reason(), "no such file");
  about.set_name("nobody");
  EXPECT_EQ(unary("ModelMetadata", about.SerializeAsString())->status->code(), Code::kNotFound);
  EXPECT_EQ(unary("RepositoryModelLoad", "")->status->code(), Code::kUnavailable);
  EXPECT_EQ(unary("SystemSharedMemoryRegister", "")->status->code(), Code::kUnimplemented);
  EXPECT_EQ(unary("ModelConfig", "garbage")->status->code(), Code::kInvalidArgument);
}

TEST_F(GrpcDialect, EveryMethodOfTheServiceIsThere) {
  const auto* service = methods_.services().at(0);
  EXPECT_EQ(service->method_count(), 20);
  for (int i = 0; i < service->method_count(); ++i) {
    EXPECT_NE(methods_.find(method_path(service->method(i)->name())), nullptr) << service->method(i)->name();
  }
  EXPECT_EQ(service_.health(""), 1);
  EXPECT_EQ(service_.health("inference.GRPCInferenceService"), 1);
  EXPECT_EQ(service_.health("other"), 3);
}

}  // namespace
}  // namespace modelmill::kserve_v2
