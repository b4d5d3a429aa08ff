#include "dialect/torchserve/grpc_management.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <utility>

#include "catalog/testing/no_model_control.h"
#include "dialect/testing/fakes.h"
#include "dialect/torchserve/service.h"
#include "dialect/torchserve/testing/handlers.h"
#include "serve/testing/fake_version.h"
#include "torchserve_management.pb.h"

namespace modelmill::torchserve {
namespace {

namespace api = org::pytorch::serve::grpc::management;

constexpr const char* kDescribe = "/org.pytorch.serve.grpc.management.ManagementAPIsService/DescribeModel";

class TorchServeDescribeCall : public ::testing::Test {
 protected:
  TorchServeDescribeCall()
      : inference_(catalog_.catalog()), service_(inference_, control_, {"1.2", [] { return true; }}) {
    service_.add_to(methods_);
    catalog_.add(testing::handler("slow"), [this](InferRequestPtr request) { asked_.set_value(std::move(request)); });
  }

  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  Inference inference_;
  modelmill::testing::NoModelControl control_;
  Service service_;
  wire::GrpcMethods methods_;
  std::promise<InferRequestPtr> asked_;
};

TEST_F(TorchServeDescribeCall, MayRunAHandlerAndIsNoMereReading) {
  EXPECT_EQ(methods_.find(kDescribe)->group, wire::ApiGroup::kManagement);
}

TEST_F(TorchServeDescribeCall, EndsTheHandlersWorkWithItself) {
  const auto call = std::make_shared<testing::FakeCall>(thread_.loop(), kDescribe);
  std::unique_ptr<wire::GrpcCallHandler> handler;
  api::DescribeModelRequest request;
  request.set_model_name("slow");
  request.set_customized(true);
  thread_.run([&] {
    handler = methods_.find(kDescribe)->make(call);
    testing::feed(*handler, request.SerializeAsString());
    handler->on_half_close();
  });
  InferRequestPtr asked = asked_.get_future().get();
  EXPECT_FALSE(asked->cancelled());
  thread_.run([&] { handler->on_cancel(cancelled("gone")); });
  EXPECT_TRUE(asked->cancelled()) << "nobody waits for what it says";
  asked->fail(cancelled("gone"));
  call->wait_finished();
  thread_.run([&] { handler.reset(); });
}

}  // namespace
}  // namespace modelmill::torchserve
