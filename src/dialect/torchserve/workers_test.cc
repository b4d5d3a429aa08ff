// Models whose workers clients take and give, and paths of before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/testing/no_model_control.h"
#include "dialect/torchserve/service.h"
#include "dialect/torchserve/testing/handlers.h"
#include "torchserve_inference.pb.h"
#include "torchserve_management.pb.h"

namespace modelmill::torchserve {
namespace {

namespace api = org::pytorch::serve::grpc;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::joined;

/// Adds what the catalog has, and notes what is scaled.
class ScalingControl final : public modelmill::testing::NoModelControl {
 public:
  void add(ModelAddition addition, Added done) override { done(AddedModel{addition.place, 1}); }
  void scale(InstanceRequest r, Done done) override {
    scaled.push_back(r.model + ": " + std::to_string(r.min) + "-" + std::to_string(r.max));
    done(ok_status());
  }
  Result<ServedPlace> place(const std::string& model, int64_t) const override {
    return ServedPlace{model + ".mar", {0, 0, {}}};
  }

  std::vector<std::string> scaled;
};

class TorchServeWorkers : public ::testing::Test {
 protected:
  TorchServeWorkers() {
    catalog_.add(testing::simple_description("m"));
    catalog_.add(testing::handler("echo"), [](InferRequestPtr request) {
      request->complete(testing::body_response(std::string(request->inputs[0].contiguous().view().substr(4))));
    });
    auto says = testing::handler("says");
    says.definition.instance_range = {2, 3, {}};
    catalog_.add(says);
    service({});
  }

  /// Without a number of workers: what is registered so has what it would have anyway.
  void service(std::optional<int> usual_workers) {
    Service::Options options{"1.2", [] { return true; }};
    options.usual_workers = usual_workers;
    router_ = HttpRouter();
    methods_ = std::make_unique<wire::GrpcMethods>();
    const Service service(inference_, control_, options);
    service.add_to(router_);
    service.add_to(*methods_);
  }
  void take_workers(const std::string& model) {
    auto& version = *catalog_.catalog().table()->find(model)->versions.back();
    static_cast<testing::FakeVersion&>(version).has_no_instances = true;
  }
  std::string ask(const std::string& method, const std::string& path, int status = 200, const std::string& body = "") {
    const auto reply = testing::ask(thread_, router_.handler(), testing::http_request(method, path, body));
    EXPECT_EQ(reply.status, status) << path << joined(reply.body);
    return joined(reply.body);
  }
  wire::ApiGroup group(const std::string& path) {
    return router_.group(testing::http_request("POST", path)).value_or(wire::ApiGroup::kManagement);
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_{catalog_.catalog()};
  ScalingControl control_;
  HttpRouter router_;
  std::unique_ptr<wire::GrpcMethods> methods_;
};

TEST_F(TorchServeWorkers, WithoutThemAModelDoesNotAnswer) {
  take_workers("m");
  const std::string body = "[[1, 2, 3, 4]]";
  const auto refused = AllOf(HasSubstr("ServiceUnavailableException"),
                             HasSubstr("Model \\\"m\\\" has no worker to serve inference request. Please use scale "
                                       "workers API to add workers."));
  EXPECT_THAT(ask("POST", "/predictions/m", 503, body), refused);
  EXPECT_THAT(ask("POST", "/m/predict", 503, body), refused);
  EXPECT_THAT(ask("POST", "/predictions/m/1", 503, body), HasSubstr("Model \\\"m\\\" Version 1 has no worker"));
  const std::string described = ask("GET", "/models/m");
  EXPECT_THAT(described, HasSubstr("\"workers\": []"));
  EXPECT_THAT(described, HasSubstr("\"minWorkers\": 0,\n    \"maxWorkers\": 0"));
  EXPECT_THAT(described, HasSubstr("\"status\": \"Healthy\"")) << "it has as many as are wanted";
  EXPECT_THAT(ask("OPTIONS", "/predictions/m"), HasSubstr("/predictions/m"));
  api::inference::PredictionsRequest request;
  request.set_model_name("m");
  (*request.mutable_input())["data"] = body;
  const auto call =
      testing::call_unary(thread_, *methods_, "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
                          request.SerializeAsString());
  EXPECT_EQ(call->status->code(), Code::kInternal);
  EXPECT_THAT(call->status->message(), AllOf(HasSubstr("has no worker"), HasSubstr("InternalServerException")));
}

TEST_F(TorchServeWorkers, AllAreTakenByScalingToNone) {
  EXPECT_THAT(ask("PUT", "/models/m?min_worker=0&synchronous=true"), HasSubstr("Workers scaled to 0 for model: m"));
  EXPECT_THAT(ask("PUT", "/models/m?min_worker=0&max_worker=0", 202), HasSubstr("Processing"));
  EXPECT_THAT(control_.scaled, ElementsAre("m: 0-0", "m: 0-0"));
}

TEST_F(TorchServeWorkers, ARegistrationThatNamesNone) {
  const auto text = HasSubstr("registered with 0 initial workers. Use scale workers API to add workers");
  EXPECT_THAT(ask("POST", "/models?url=m"), text);
  EXPECT_THAT(ask("POST", "/models?url=m&initial_workers=-1"), text);
  EXPECT_THAT(control_.scaled, ElementsAre());
  service(0);
  EXPECT_THAT(ask("POST", "/models?url=m"), text);
  EXPECT_THAT(ask("POST", "/models?url=m&initial_workers=2"), HasSubstr("with 2 initial workers\""));
  EXPECT_THAT(ask("POST", "/models?url=says"), HasSubstr("with 2 initial workers\"")) << "as its archive says";
  EXPECT_THAT(ask("POST", "/models?url=says&initial_workers=7"), HasSubstr("with 2 initial workers\""));
  service(4);
  EXPECT_THAT(ask("POST", "/models?url=m"), HasSubstr("with 4 initial workers\""));
  EXPECT_THAT(control_.scaled, ElementsAre("m: 0-0", "m: 2-2", "m: 4-4"));
}

TEST_F(TorchServeWorkers, ARegistrationWithNone) {
  for (const std::optional<int>& usual : {std::optional<int>(), std::optional<int>(4)}) {
    service(usual);
    EXPECT_THAT(ask("POST", "/models?url=m&initial_workers=0"), HasSubstr("registered with 0 initial workers"));
    EXPECT_THAT(control_.scaled, ElementsAre("m: 0-0")) << "it says so";
    control_.scaled.clear();
    api::management::RegisterModelRequest request;
    request.set_url("m");
    testing::call_unary(thread_, *methods_, "/org.pytorch.serve.grpc.management.ManagementAPIsService/RegisterModel",
                        request.SerializeAsString());
    EXPECT_EQ(control_.scaled.size(), usual ? 1U : 0U) << "over gRPC 0 says nothing";
    control_.scaled.clear();
  }
}

TEST_F(TorchServeWorkers, AreAskedByTheOlderPathToo) {
  EXPECT_EQ(ask("POST", "/echo/predict", 200, "hi"), "hi");
  EXPECT_EQ(ask("PUT", "/echo/1/predict", 200, "hi"), "hi");
  EXPECT_EQ(ask("POST", "/torchserve/echo/predict", 200, "hi"), "hi");
  EXPECT_EQ(group("/echo/predict"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("/echo/1/predict"), wire::ApiGroup::kInference);
  EXPECT_THAT(ask("POST", "/none/predict", 404, "hi"), HasSubstr("ModelNotFoundException"));
  EXPECT_THAT(ask("POST", "/echo/7/predict", 404, "hi"), HasSubstr("ModelVersionNotFoundException"));
  EXPECT_THAT(ask("DELETE", "/echo/predict", 405), HasSubstr("MethodNotAllowedException"));
  EXPECT_FALSE(router_.group(testing::http_request("POST", "/echo/1/2/predict")));
  EXPECT_FALSE(router_.group(testing::http_request("POST", "/echo")));
  for (const char* const path : {"/torchserve/metrics/predict", "/ping/predict", "/torchserve/token/predict"})
    EXPECT_THAT(ask("POST", path, 404, "hi"), HasSubstr("ResourceNotFoundException")) << "whose group is another";
}

TEST_F(TorchServeWorkers, LeaveTheOlderPathToCodeThatMayHaveIt) {
  auto open = testing::simple_description("code");
  open.signature.open = true;
  catalog_.add(open);
  EXPECT_EQ(ask("POST", "/echo/predict", 200, "hi"), "hi");
  EXPECT_THAT(ask("POST", "/echo/7/predict", 404, "hi"), HasSubstr("ModelVersionNotFoundException"));
  for (const char* const path : {"/none/predict", "/code/predict"})
    EXPECT_FALSE(router_.group(testing::http_request("POST", path))) << path;
  EXPECT_THAT(ask("POST", "/torchserve/none/predict", 404, "hi"), HasSubstr("ModelNotFoundException"));
}

}  // namespace
}  // namespace modelmill::torchserve
