#include "dialect/torchserve/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "catalog/testing/no_model_control.h"
#include "dialect/description/service.h"
#include "dialect/testing/fakes.h"
#include "dialect/torchserve/testing/handlers.h"
#include "serve/testing/fake_version.h"
#include "torchserve_inference.pb.h"
#include "torchserve_management.pb.h"

namespace modelmill::torchserve {
namespace {

namespace api = org::pytorch::serve::grpc;
using testing::body_response;
using testing::FakeCall;
using testing::FakeCatalog;
using testing::handler;
using ::testing::HasSubstr;
using testing::joined;
using testing::LoopThread;
using testing::simple_description;
using testing::text_parameter;

/// A control plane that keeps what it is asked, and does nothing.
class FakeControl final : public modelmill::testing::NoModelControl {
 public:
  void unload(ModelUnload unload, Done done) override { note("unload " + unload.model, done); }
  void assign(VersionAssignment a, Done done) override {
    note("assign " + a.model + " " + std::to_string(a.version.value_or(0)), done);
  }
  void add(ModelAddition a, Added done) override {
    asked.push_back("add " + a.place + " as " + a.model + " rows " + std::to_string(a.batch_size.value_or(-1)));
    for (const auto& [name, value] : a.parameters) asked.back() += " " + name + "=" + value;
    if (refusal.ok()) return done(AddedModel{a.model.empty() ? "new" : a.model, 2});
    done(refusal);
  }
  void withdraw(const std::string& model, int64_t version, Done done) override {
    note("withdraw " + model + " " + std::to_string(version), done);
  }
  void scale(InstanceRequest r, Done done) override {
    note("scale " + r.model + " " + std::to_string(r.version) + ": " + std::to_string(r.min) + "-" +
             std::to_string(r.max),
         done);
  }
  Result<ServedPlace> place(const std::string& model, int64_t) const override {
    return ServedPlace{model + ".mar", {2, 3, {}}};
  }

  std::vector<std::string> asked;
  Status refusal;

 private:
  void note(std::string what, const Done& done) {
    asked.push_back(std::move(what));
    done(refusal);
  }
};

/// What the handler "echo" answers: the type, the query, and the body.
void tell(InferRequestPtr request) {
  const Bytes input = request->inputs[0].contiguous();
  auto response = body_response(
      text_parameter(request->parameters, "content_type") + "|" + text_parameter(request->parameters, "query") + "|" +
      (request->parameters.find("explain") != nullptr ? "explain|" : "|") + std::string(input.view().substr(4)));
  response.parameters.set("content_type", std::string("text/plain"));
  response.parameters.set("status", std::string("201"));
  response.parameters.set("headers",
                          std::string(R"({"X-Mine": "yes", "X-Broken": "a\r\nb: c", "Content-Length": "1"})"));
  request->complete(std::move(response));
}

class TorchServe : public ::testing::Test {
 protected:
  TorchServe() : inference_(catalog_.catalog()), service_(inference_, control_, {"1.2", [this] { return ready_; }}) {
    description::add_to(router_, catalog_.catalog(), methods_, {"1.2", {}, {}});
    service_.add_to(router_);
    service_.add_to(methods_);
    catalog_.add(simple_description("m"));
    auto two = simple_description("two");
    two.signature.inputs.push_back({"b", DataType::kInt32, {-1}});
    two.signature.outputs.push_back({"z", DataType::kInt32, {-1}});
    catalog_.add(two);
    auto text = simple_description("text");
    text.signature = {{{"s", DataType::kBytes, {-1}}}, {{"s", DataType::kBytes, {-1}}}};
    catalog_.add(text);
    catalog_.add(handler("echo"), tell);
    catalog_.add(handler("stops"), [](InferRequestPtr request) {
      InferResponse response = body_response("");
      response.parameters.set("error", std::string("Some Prediction Error"));
      response.parameters.set("status", std::string("513"));
      request->complete(std::move(response));
    });
    catalog_.add(handler("fails"), [](InferRequestPtr request) { request->fail(internal("it raised")); });
    catalog_.add(handler("full"), [](InferRequestPtr request) { request->fail(resource_exhausted("queue is full")); });
    catalog_.add(handler("short"), [](InferRequestPtr request) {
      request->times.compute_start = Clock::now();
      request->fail(resource_exhausted("no memory"));
    });
    catalog_.add(handler("tells"), [](InferRequestPtr request) {
      const bool describes =
          text_parameter(request->parameters, "headers").find(R"("describe":"True")") != std::string::npos;
      request->complete(body_response(describes ? R"({"layers": 2})" : "an answer"));
    });
    auto streams = handler("streams");
    streams.definition.decoupled = true;
    catalog_.add(streams, [](InferRequestPtr request) {
      request->respond(body_response("hello "));
      request->complete(body_response("world"));
    });
  }

  wire::HttpReply http(std::string method, std::string path, std::string body = "",
                       std::vector<std::pair<std::string, std::string>> headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        testing::http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  std::string ask(const std::string& path, const std::string& body, int status = 200, const char* type = "") {
    const auto reply = http("POST", path, body, {{"content-type", type}});
    EXPECT_EQ(reply.status, status) << joined(reply.body);
    return joined(reply.body);
  }
  std::string manage(const std::string& method, const std::string& path, int status = 200) {
    const auto reply = http(method, path);
    EXPECT_EQ(reply.status, status) << joined(reply.body);
    return joined(reply.body);
  }

  std::shared_ptr<FakeCall> call(const std::string& path, const std::string& message) {
    return testing::call_unary(thread_, methods_, path, message);
  }
  std::shared_ptr<FakeCall> predict(const std::string& model, std::map<std::string, std::string> input,
                                    const char* method = "Predictions") {
    api::inference::PredictionsRequest request;
    request.set_model_name(model);
    for (const auto& [name, value] : input) (*request.mutable_input())[name] = value;
    return call(std::string("/org.pytorch.serve.grpc.inference.InferenceAPIsService/") + method,
                request.SerializeAsString());
  }
  static std::string prediction(const std::string& message) {
    api::inference::PredictionResponse response;
    EXPECT_TRUE(response.ParseFromString(message));
    return response.prediction();
  }
  template <typename Request>
  std::shared_ptr<FakeCall> manage_by_grpc(const char* method, const Request& request) {
    return call(std::string("/org.pytorch.serve.grpc.management.ManagementAPIsService/") + method,
                request.SerializeAsString());
  }

  bool ready_ = true;
  LoopThread thread_;
  FakeCatalog catalog_;
  MetricRegistry metrics_;
  Inference inference_;
  FakeControl control_;
  Service service_;
  HttpRouter router_;
  wire::GrpcMethods methods_;
};

TEST_F(TorchServe, AsksModelsOfTensors) {
  struct Case {
    const char *path, *type, *body, *answer;
  };
  for (const Case& c : {
           Case{"/predictions/m", "application/json", "[1, 2, 3, 4]", "[1.0,2.0,3.0,4.0]"},
           Case{"/predictions/m/1", "", "[[1, 2, 3, 4]]", "[[1.0,2.0,3.0,4.0]]"},
           Case{"/torchserve/predictions/m/1.0", "", "{\"x\": [[1, 2, 3, 4], [5, 6, 7, 8]]}",
                "[[1.0,2.0,3.0,4.0],[5.0,6.0,7.0,8.0]]"},
           Case{"/predictions/m", "text/csv", "1,2,3,4", "[[1.0,2.0,3.0,4.0]]"},
           Case{"/predictions/m", "", "{\"instances\": [[1, 2, 3, 4]]}", "{\"predictions\":[[1.0,2.0,3.0,4.0]]}"},
           Case{"/predictions/m", "multipart/form-data; boundary=x",
                "--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n[1,2,3,4]\r\n--x--", "[1.0,2.0,3.0,4.0]"},
           Case{"/predictions/two", "application/x-www-form-urlencoded", "x=[1,2,3,4]&b=5",
                "{\"y\":[[1.0,2.0,3.0,4.0]],\"z\":[5]}"},
           Case{"/predictions/m", "application/x-www-form-urlencoded", "[1,2,3,4]", "[1.0,2.0,3.0,4.0]"},
           Case{"/predictions/text", "text/plain", "any words", "\"any words\""},
           Case{"/predictions/text", "application/json", "[\"a\", \"b\"]", "[\"a\",\"b\"]"},
       }) {
    EXPECT_EQ(ask(c.path, c.body, 200, c.type), c.answer) << c.path << " " << c.body;
  }
}

TEST_F(TorchServe, HandlersGetTheBodyAsItIs) {
  const auto reply =
      http("PUT", "/explanations/echo/1/more/path?a=1&b=x+y", "\x01\x02", {{"content-type", "image/png"}});
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(joined(reply.body), "image/png|{\"a\":\"1\",\"b\":\"x y\"}|explain|\x01\x02");
  EXPECT_EQ(testing::header_of(reply, "Content-Type"), "text/plain");
  EXPECT_EQ(testing::header_of(reply, "X-Mine"), "yes");
  EXPECT_EQ(reply.headers.size(), 2u) << "what would end a line or the reply is left out";
  EXPECT_EQ(ask("/predictions/echo", "", 201, ""), "-|-||");
}

TEST_F(TorchServe, AnswersOfAStreamLeaveAsTheyAreMade) {
  const auto exchange = std::make_shared<testing::FakeExchange>(
      thread_.loop(), testing::http_request("POST", "/predictions/streams", "x"));
  thread_.run([&] { router_.handler()(exchange); });
  EXPECT_EQ(exchange->wait().status, 200);
  EXPECT_THAT(exchange->pieces, ::testing::ElementsAre("hello ", "world"));
}

TEST_F(TorchServe, ErrorsHaveItsShape) {
  EXPECT_EQ(
      ask("/predictions/no", "1", 404),
      "{\n  \"code\": 404,\n  \"type\": \"ModelNotFoundException\",\n  \"message\": \"Model not found: no\"\n}\n");
  EXPECT_THAT(
      ask("/predictions/m/7", "1", 404),
      HasSubstr("\"ModelVersionNotFoundException\",\n  \"message\": \"Model version: 7 does not exist for model: m\""));
  EXPECT_THAT(ask("/predictions/m", "[1]", 400), HasSubstr("BadRequestException"));
  EXPECT_THAT(ask("/explanations/m", "[1,2,3,4]", 501), HasSubstr("explains nothing"));
  EXPECT_THAT(
      ask("/predictions/stops", "", 513),
      HasSubstr("\"code\": 513,\n  \"type\": \"InternalServerException\",\n  \"message\": \"Some Prediction Error\""));
  EXPECT_THAT(ask("/predictions/fails", "", 503), HasSubstr("InternalServerException"));
  EXPECT_THAT(ask("/predictions/full", "", 503), HasSubstr("ServiceUnavailableException"));
  EXPECT_THAT(ask("/predictions/short", "", 507), HasSubstr("InternalServerException"));
  EXPECT_THAT(manage("DELETE", "/predictions/m", 405), HasSubstr("MethodNotAllowedException"));
  EXPECT_THAT(manage("GET", "/torchserve/nothing", 404), HasSubstr("ResourceNotFoundException"));
}

TEST_F(TorchServe, SaysWhichMethodsAPathTakes) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"DELETE", "/predictions/m", "GET, POST, PUT, OPTIONS"},
      {"PATCH", "/models", "GET, POST, OPTIONS"},
      {"TRACE", "/torchserve/models/two", "GET, PUT, DELETE, OPTIONS"},
      {"POST", "/torchserve/metrics", "GET"},
  };
  for (const auto& [method, path, allowed] : cases) {
    const auto reply = http(method, path);
    EXPECT_EQ(reply.status, 405) << path;
    EXPECT_EQ(testing::header_of(reply, "Allow"), allowed) << path;
  }
}

TEST_F(TorchServe, TellsItsHealthAndItsPaths) {
  EXPECT_EQ(manage("GET", "/ping"), "{\n  \"status\": \"Healthy\"\n}\n");
  ready_ = false;
  EXPECT_EQ(manage("GET", "/torchserve/ping", 500), "{\n  \"status\": \"Unhealthy\"\n}\n");
  for (const char* path : {"/", "/models", "/torchserve"})
    EXPECT_THAT(manage("OPTIONS", path), HasSubstr("\"openapi\": \"3.0.1\"")) << path;
  EXPECT_THAT(manage("GET", "/api-description"), HasSubstr("\"/predictions/{model_name}\""));
  EXPECT_THAT(manage("OPTIONS", "/predictions/echo"), HasSubstr("\"/explanations/echo\""));
  EXPECT_THAT(manage("OPTIONS", "/predictions/no", 404), HasSubstr("ModelNotFoundException"));
  EXPECT_THAT(manage("GET", "/"), HasSubstr("modelmill 1.2")) << "only OPTIONS is taken from the page";
}

TEST_F(TorchServe, ListsAndDescribes) {
  EXPECT_EQ(
      manage("GET", "/models?limit=2&next_page_token=1"),
      "{\n  \"nextPageToken\": \"3\",\n  \"models\": [\n    {\n      \"modelName\": \"fails\",\n      \"modelUrl\": "
      "\"fails.mar\"\n    },\n    {\n      \"modelName\": \"full\",\n      \"modelUrl\": \"full.mar\"\n    }\n  "
      "]\n}\n");
  EXPECT_THAT(manage("GET", "/models?limit=-1&next_page_token=99999"), HasSubstr("\"models\": []"));
  const std::string described = manage("GET", "/models/m");
  EXPECT_THAT(described, HasSubstr("\"modelVersion\": \"1\",\n    \"modelUrl\": \"m.mar\""));
  EXPECT_THAT(described, HasSubstr("\"minWorkers\": 2,\n    \"maxWorkers\": 3"));
  EXPECT_THAT(manage("GET", "/models/m/5", 404), HasSubstr("ModelVersionNotFoundException"));
  EXPECT_THAT(manage("GET", "/models/no", 404), HasSubstr("ModelNotFoundException"));
  EXPECT_THAT(manage("GET", "/models/m/all"), HasSubstr("\"modelName\": \"m\""));
}

TEST_F(TorchServe, HandlersAddToTheirDescription) {
  const std::string described = manage("GET", "/models/tells?customized=true");
  EXPECT_THAT(described, HasSubstr("\"customizedMetadata\": {\n      \"layers\": 2\n    }"));
  EXPECT_THAT(described, HasSubstr("\"modelUrl\": \"tells.mar\""));
  const auto customized = HasSubstr("customizedMetadata");
  EXPECT_THAT(manage("GET", "/models/tells/1?customized=true"), customized);
  EXPECT_THAT(manage("GET", "/models/tells"), Not(customized));
  EXPECT_THAT(manage("GET", "/models/tells/all?customized=true"), Not(customized));
  EXPECT_THAT(manage("GET", "/models/m?customized=true"), Not(customized)) << "no handler";
  EXPECT_THAT(manage("GET", "/models/echo?customized=true", 201), Not(customized)) << "what it says is no object";
  EXPECT_THAT(manage("GET", "/models/stops?customized=true", 513), HasSubstr("Some Prediction Error"));
  EXPECT_THAT(manage("GET", "/models/no?customized=true", 404), HasSubstr("ModelNotFoundException"));
  api::management::DescribeModelRequest describe;
  describe.set_model_name("tells");
  describe.set_customized(true);
  EXPECT_THAT(manage_by_grpc("DescribeModel", describe)->sent.at(0), customized);
}

TEST_F(TorchServe, WhatRunsAHandlerIsNoMereReading) {
  const auto group = [this](const char* path) { return router_.group(testing::http_request("GET", path)); };
  for (const char* path : {"/models/tells?customized=true", "/models/tells/1?x=1&customized=True",
                           "/torchserve/models/tells?customized=true"})
    EXPECT_EQ(group(path), wire::ApiGroup::kManagement) << path;
  for (const char* path : {"/models/tells", "/models/tells?customized=false", "/models?customized=true",
                           "/models/tells/all?customized=true"})
    EXPECT_EQ(group(path), wire::ApiGroup::kMetadata) << path;
}

TEST_F(TorchServe, IsInvokedAsSageMakerDoes) {
  EXPECT_EQ(ask("/models/echo/invoke", "x", 201, "text/plain"), "text/plain|-||x");
  EXPECT_THAT(ask("/models/no/invoke", "x", 404), HasSubstr("ModelNotFoundException"));
  EXPECT_EQ(router_.group(testing::http_request("POST", "/models/echo/invoke")), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(testing::http_request("DELETE", "/models/echo/invoke")), wire::ApiGroup::kManagement);
}

TEST_F(TorchServe, ManagesByTheControlPlane) {
  catalog_.add(simple_description("m", 2));
  EXPECT_THAT(manage("POST", "/models?url=a.mar&model_name=n&batch_size=4&initial_workers=3"),
              HasSubstr("Model \\\"n\\\" Version: 2 registered with 3 initial workers"));
  EXPECT_THAT(
      manage("POST", "/models?url=a.mar&initial_workers=1&synchronous=false&response_timeout=30&startup_timeout=0",
             202),
      HasSubstr("Processing worker updates..."));
  EXPECT_THAT(manage("POST", "/models", 400), HasSubstr("Parameter url is required."));
  EXPECT_THAT(manage("PUT", "/models/m?min_worker=2&synchronous=true"), HasSubstr("Workers scaled to 2 for model: m"));
  EXPECT_THAT(manage("PUT", "/models/m/1?min_worker=2&max_worker=4", 202), HasSubstr("Processing"));
  EXPECT_THAT(manage("PUT", "/models/m?min_worker=3&max_worker=1", 400), HasSubstr("cannot be less"));
  EXPECT_THAT(manage("PUT", "/models/m/1.0/set-default"), HasSubstr("for model \\\"m\\\" to \\\"1.0\\\""));
  EXPECT_THAT(manage("DELETE", "/models/m", 403), HasSubstr("Cannot remove default version for model m"));
  EXPECT_THAT(manage("DELETE", "/models/m/1"), HasSubstr("Model \\\"m\\\" unregistered"));
  EXPECT_THAT(manage("DELETE", "/models/two"), HasSubstr("Model \\\"two\\\" unregistered"));
  EXPECT_THAT(manage("PATCH", "/models/two", 405), HasSubstr("MethodNotAllowedException"));
  EXPECT_THAT(control_.asked,
              ::testing::ElementsAre("add a.mar as n rows 4", "scale n 2: 3-3",
                                     "add a.mar as  rows -1 execution_timeout_s=30", "scale new 2: 1-1",
                                     "scale m 2: 2-2", "scale m 1: 2-4", "assign m 1", "withdraw m 1", "unload two"));
  control_.refusal = unavailable("not allowed");
  EXPECT_THAT(manage("POST", "/models?url=a.mar", 503), HasSubstr("ServiceUnavailableException"));
  control_.refusal = Status(Code::kPermissionDenied, "that URL is not allowed");
  EXPECT_THAT(manage("POST", "/models?url=http://x/a.mar", 404), HasSubstr("ModelNotFoundException"));
}

TEST_F(TorchServe, GroupsOfItsPaths) {
  const auto group = [&](const char* method, const char* path) {
    return router_.group(testing::http_request(method, path)).value();
  };
  EXPECT_EQ(group("POST", "/predictions/m"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("GET", "/torchserve/explanations/m"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("GET", "/ping"), wire::ApiGroup::kHealth);
  EXPECT_EQ(group("GET", "/models"), wire::ApiGroup::kMetadata);
  EXPECT_EQ(group("POST", "/models"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group("DELETE", "/torchserve/%6dodels/m"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group("GET", "/torchserve/metrics"), wire::ApiGroup::kMetrics);
}

TEST_F(TorchServe, AnswersByGrpc) {
  EXPECT_EQ(prediction(predict("m", {{"data", "[1, 2, 3, 4]"}})->sent.at(0)).substr(0, 3), "[1.");
  const auto told = predict("echo", {{"data", "\x01"}});
  EXPECT_THAT(prediction(told->sent.at(0)), HasSubstr("name=\"data\"; filename=\"data\""));
  const auto both = predict("streams", {{"data", ""}}, "StreamPredictions");
  ASSERT_EQ(both->sent.size(), 2u);
  EXPECT_EQ(prediction(both->sent[0]), "hello ");
  EXPECT_EQ(prediction(both->sent[1]), "world");
  EXPECT_EQ(predict("no", {})->status->code(), Code::kInternal);
  EXPECT_EQ(predict("no", {})->status->message(),
            "Model not found: no\norg.pytorch.serve.archive.model.ModelNotFoundException");
  EXPECT_EQ(predict("", {})->status->code(), Code::kInvalidArgument);
  EXPECT_EQ(predict("stops", {})->status->message(),
            "Some Prediction Error\norg.pytorch.serve.http.InternalServerException");
  EXPECT_EQ(predict("fails", {})->status->code(), Code::kUnavailable);
  EXPECT_EQ(predict("fails", {}, "StreamPredictions")->status->code(), Code::kUnavailable);
  EXPECT_EQ(call("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions", "\xff")->status->code(),
            Code::kInvalidArgument);
  EXPECT_EQ(call("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping", "")->sent.at(0).substr(2),
            "{\n  \"status\": \"Healthy\"\n}");
}

TEST_F(TorchServe, ManagesByGrpc) {
  api::management::RegisterModelRequest request;
  request.set_url("a.mar");
  request.set_initial_workers(2);
  request.set_synchronous(true);
  EXPECT_THAT(manage_by_grpc("RegisterModel", request)->sent.at(0), HasSubstr("registered with 2 initial workers"));
  api::management::DescribeModelRequest describe;
  describe.set_model_name("m");
  EXPECT_THAT(manage_by_grpc("DescribeModel", describe)->sent.at(0), HasSubstr("\"modelName\": \"m\""));
  describe.set_model_name("no");
  EXPECT_EQ(manage_by_grpc("DescribeModel", describe)->status->code(), Code::kNotFound);
  EXPECT_THAT(manage_by_grpc("ListModels", api::management::ListModelsRequest())->sent.at(0), HasSubstr("streams.mar"));
}

TEST_F(TorchServe, CountsUnderItsNames) {
  ask("/predictions/m", "[1,2,3,4]");
  ask("/predictions/m/1", "[1,2,3,4]");
  ask("/predictions/no", "1", 404);
  const std::string page = manage("GET", "/torchserve/metrics");
  EXPECT_THAT(page,
              ::testing::ContainsRegex(
                  "ts_inference_requests_total\\{model_name=\"m\",model_version=\"default\",hostname=\"[^\"]*\"\\} 1"));
  EXPECT_THAT(page, ::testing::ContainsRegex("model_version=\"1\",hostname=\"[^\"]*\"\\} 1"));
  EXPECT_THAT(page, ::testing::ContainsRegex("Requests2XX\\{Level=\"Host\",Hostname=\"[^\"]*\"\\} 2"));
  EXPECT_THAT(page, ::testing::ContainsRegex("WorkerThreadTime\\{Level=\"Host\",Hostname=\"[^\"]*\"\\} [0-9]"));
  const std::string some = manage("GET", "/torchserve/metrics?name[]=Requests2XX&name[]=QueueTime");
  EXPECT_THAT(some, AllOf(HasSubstr("Requests2XX{"), HasSubstr("QueueTime{"), Not(HasSubstr("Requests4XX"))));
  EXPECT_THAT(page, ::testing::ContainsRegex("Requests4XX\\{Level=\"Host\",Hostname=\"[^\"]*\"\\} 1"));
  EXPECT_THAT(page, ::testing::ContainsRegex("MemoryAvailable\\{[^}]*\\} [1-9]"));
}

}  // namespace
}  // namespace modelmill::torchserve
