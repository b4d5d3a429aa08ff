#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "catalog/testing/no_model_control.h"
#include "dialect/testing/fakes.h"
#include "dialect/torchserve/service.h"
#include "dialect/torchserve/testing/handlers.h"
#include "google_rpc.pb.h"
#include "serve/testing/fake_version.h"
#include "torchserve_inference.pb.h"

namespace modelmill::torchserve {
namespace {

namespace api = org::pytorch::serve::grpc;
using testing::body_response;
using testing::FakeCall;
using testing::FakeCatalog;
using testing::handler;
using ::testing::HasSubstr;
using testing::LoopThread;
using testing::simple_description;
using testing::text_parameter;

class TorchServeStream : public ::testing::Test {
 protected:
  explicit TorchServeStream(std::shared_ptr<const SequenceNames> names = nullptr)
      : inference_(catalog_.catalog()), service_(inference_, control_, options(std::move(names))) {
    service_.add_to(methods_);
    catalog_.add(simple_description("m"));
    catalog_.add(handler("stops"), [](InferRequestPtr request) {
      InferResponse response = body_response("");
      response.parameters.set("error", std::string("Some Prediction Error"));
      response.parameters.set("status", std::string("513"));
      request->complete(std::move(response));
    });
    catalog_.add(handler("fails"), [](InferRequestPtr request) { request->fail(internal("it raised")); });
    auto streams = handler("streams");
    streams.definition.decoupled = true;
    catalog_.add(streams, [](InferRequestPtr request) {
      request->respond(body_response("hello "));
      request->complete(body_response("world"));
    });
  }

  static Service::Options options(std::shared_ptr<const SequenceNames> names) {
    Service::Options out{"1.2", [] { return true; }};
    out.sequence_names = std::move(names);
    return out;
  }

  /// Of a stream of requests, all that it answers.
  std::vector<api::inference::PredictionResponse> stream(const std::vector<api::inference::PredictionsRequest>& asked) {
    const std::string path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2";
    const auto call = std::make_shared<FakeCall>(thread_.loop(), path);
    std::unique_ptr<wire::GrpcCallHandler> handler;
    thread_.run([&] {
      handler = methods_.find(path)->make(call);
      for (const auto& request : asked) testing::feed(*handler, request.SerializeAsString());
      handler->on_half_close();
    });
    call->wait_finished();
    thread_.run([&] { handler.reset(); });
    EXPECT_TRUE(call->status->ok());
    std::vector<api::inference::PredictionResponse> answers(call->sent.size());
    for (size_t i = 0; i < answers.size(); ++i) EXPECT_TRUE(answers[i].ParseFromString(call->sent[i]));
    return answers;
  }

  LoopThread thread_;
  FakeCatalog catalog_;
  Inference inference_;
  testing::NoModelControl control_;
  Service service_;
  wire::GrpcMethods methods_;
};

/// The same with names of one's own.
class TorchServeNamedStream : public TorchServeStream {
 protected:
  TorchServeNamedStream()
      : TorchServeStream(std::make_shared<const SequenceNames>(SequenceNames{"my-id", "my-start", "my-end"})) {}
};

api::inference::PredictionsRequest of_sequence(const std::string& model, const std::string& id,
                                               std::map<std::string, std::string> input) {
  api::inference::PredictionsRequest request;
  request.set_model_name(model);
  if (!id.empty()) request.set_sequence_id(id);
  for (const auto& [name, value] : input) (*request.mutable_input())[name] = value;
  return request;
}

TEST_F(TorchServeStream, AnswersAStreamOfRequestsBySequence) {
  const auto answers =
      stream({of_sequence("m", "a", {{"data", "[1, 2, 3, 4]"}}),
              of_sequence("m", "b", {{"data", "[5, 5, 5, 5]"}, {"ts_request_sequence_start", "true"}}),
              of_sequence("streams", "a", {{"data", ""}}), of_sequence("m", "a", {{"data", "[2, 2, 2, 2]"}})});
  std::map<std::string, std::string> told;
  for (const auto& answer : answers) {
    EXPECT_FALSE(answer.has_status()) << answer.ShortDebugString();
    told[answer.sequence_id()] += answer.prediction() + ";";
  }
  EXPECT_EQ(told["b"], "[5.0,5.0,5.0,5.0];");
  EXPECT_THAT(told["a"], HasSubstr("[1.0,2.0,3.0,4.0];"));
  EXPECT_THAT(told["a"], HasSubstr("hello ;world;"));
  EXPECT_LT(told["a"].find("[1.0"), told["a"].find("[2.0"));
}

TEST_F(TorchServeStream, AStreamGoesOnAfterAnError) {
  struct Case {
    api::inference::PredictionsRequest request;
    Code code;
    const char *message, *reason;
  };
  const char* const kServer = "org.pytorch.serve.http.InternalServerException";
  for (const Case& c : {
           Case{of_sequence("m", "", {}), Code::kInternal, "Parameter sequenceId is required.",
                "BadRequestException.()"},
           Case{of_sequence("", "a", {}), Code::kInternal, "Parameter model_name is required.",
                "BadRequestException.()"},
           Case{of_sequence("none", "a", {}), Code::kInternal, "Model not found: none",
                "org.pytorch.serve.archive.model.ModelNotFoundException"},
           Case{of_sequence("m", "a", {{"data", "[1]"}}), Code::kInvalidArgument, "",
                "org.pytorch.serve.http.BadRequestException"},
           Case{of_sequence("fails", "a", {{"data", "x"}}), Code::kUnavailable, "it raised", kServer},
           Case{of_sequence("stops", "a", {{"data", "x"}}), Code::kInternal, "Some Prediction Error", kServer},
       }) {
    const auto answers = stream({c.request, of_sequence("m", "z", {{"data", "[1, 2, 3, 4]"}})});
    ASSERT_EQ(answers.size(), 2u);
    const auto& refused = answers[answers[0].has_status() ? 0 : 1];
    EXPECT_EQ(refused.sequence_id(), c.request.sequence_id());
    EXPECT_EQ(refused.status().code(), static_cast<int>(c.code)) << refused.ShortDebugString();
    EXPECT_THAT(refused.status().message(), HasSubstr(c.message));
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(refused.status().details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), c.reason);
    EXPECT_EQ(answers[answers[0].has_status() ? 1 : 0].prediction(), "[1.0,2.0,3.0,4.0]");
  }
}

TEST_F(TorchServeStream, NamesASequenceThatBeginsWithoutAName) {
  const auto answers =
      stream({of_sequence("m", "", {{"data", "[1, 2, 3, 4]"}, {"ts_request_sequence_start", "True"}})});
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_THAT(answers[0].sequence_id(), ::testing::MatchesRegex("ts-seq-[0-9a-f-]{36}"));
}

TEST_F(TorchServeStream, RequestsOfASequenceWaitForTheirTurn) {
  std::vector<InferRequestPtr> running;
  catalog_.add(handler("slow"), [&](InferRequestPtr request) { running.push_back(std::move(request)); });
  const std::string path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2";
  const auto call = std::make_shared<FakeCall>(thread_.loop(), path);
  std::unique_ptr<wire::GrpcCallHandler> handler;
  thread_.run([&] {
    handler = methods_.find(path)->make(call);
    for (const char* id : {"a", "a", "b", "a"})
      testing::feed(*handler, of_sequence("slow", id, {{"data", "x"}}).SerializeAsString());
  });
  thread_.run([&] { ASSERT_EQ(running.size(), 2u); });
  EXPECT_EQ(text_parameter(running[0]->parameters, "headers"), R"({"ts_request_sequence_id":"a"})");
  EXPECT_EQ(std::get<std::string>(running[1]->sequence.id), "b");
  thread_.run([&] { running[0]->complete(body_response("1")); });
  thread_.run([&] { ASSERT_EQ(running.size(), 3u); });
  EXPECT_EQ(std::get<std::string>(running[2]->sequence.id), "a");
  thread_.run([&] { handler->on_cancel(Status(Code::kCancelled, "gone")); });
  EXPECT_TRUE(running[1]->cancelled() && running[2]->cancelled());
  thread_.run([&] {
    for (InferRequestPtr& request : running)
      if (!request->completed()) request->fail(Status(Code::kCancelled, "gone"));
    running.clear();
  });
  thread_.run([&] { handler.reset(); });
  EXPECT_EQ(call->sent.size(), 1u);
  EXPECT_TRUE(running.empty());  // the last one of "a" has not begun
}

TEST_F(TorchServeNamedStream, SequencesAreToldOfByThem) {
  catalog_.add(handler("tells"), [](InferRequestPtr request) {
    request->complete(body_response(text_parameter(request->parameters, "headers")));
  });
  const auto answers = stream({of_sequence("tells", "a", {{"data", "x"}, {"my-start", "true"}, {"my-end", "true"}}),
                               of_sequence("tells", "", {{"data", "x"}, {"ts_request_sequence_start", "true"}})});
  ASSERT_EQ(answers.size(), 2U);
  std::string told;
  for (const auto& answer : answers) told += answer.prediction() + answer.status().message();
  EXPECT_THAT(told, HasSubstr(R"({"my-id":"a","my-start":"true","my-end":"true"})"));
  EXPECT_THAT(told, HasSubstr("Parameter sequenceId is required."));
}

}  // namespace
}  // namespace modelmill::torchserve
