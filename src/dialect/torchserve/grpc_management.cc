#include "dialect/torchserve/grpc_management.h"

#include <climits>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "dialect/torchserve/customized.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/torchserve/model_version.h"
#include "dialect/unary_proto.h"
#include "torchserve_management.pb.h"

namespace modelmill::torchserve {
namespace {

namespace api = org::pytorch::serve::grpc::management;
using wire::ApiGroup;
using Done = Management::Done;

constexpr const char* kService = "/org.pytorch.serve.grpc.management.ManagementAPIsService/";

Status status_of(const Failure& failure) { return {grpc_code_of(failure.status), grpc_message(failure)}; }

api::ManagementResponse response_of(std::string text) {
  api::ManagementResponse response;
  response.set_msg(std::move(text));
  return response;
}

/// False: the call is finished, with what is wrong.
template <typename Request>
bool read_message(const Bytes& bytes, const char* name, Request& request, wire::GrpcCall& call) {
  if (bytes.size() <= INT_MAX && request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
  call.finish(invalid_argument("the message does not parse as the request of " + std::string(name)));
  return false;
}

/// Answers the call, from any thread.
Done later_answer(std::shared_ptr<wire::GrpcCall> call) {
  return [call = std::move(call)](const Management::Outcome& outcome) {
    call->loop().post([call, outcome] {
      if (outcome.failure) return call->finish(status_of(*outcome.failure));
      call->reply(serialise(response_of(outcome.text)));
    });
  };
}

/// A method whose answer comes later, on any thread.
template <typename Request, typename Start>
void add_operation(wire::GrpcMethods& methods, const char* name, Start start) {
  methods.add(std::string(kService) + name,
              wire::unary_method([name, start = std::move(start)](std::shared_ptr<wire::GrpcCall> call, Bytes bytes) {
                Request request;
                if (!read_message(bytes, name, request, *call)) return;
                start(request, later_answer(std::move(call)));
              }),
              ApiGroup::kManagement);
}

Registration registration_of(const api::RegisterModelRequest& request) {
  Registration out;
  out.url = request.url();
  out.model_name = request.model_name();
  if (request.batch_size() > 0) out.batch_size = request.batch_size();
  if (request.max_batch_delay() > 0) out.max_batch_delay_ms = request.max_batch_delay();
  if (request.initial_workers() > 0) out.initial_workers = request.initial_workers();
  out.synchronous = request.synchronous();
  out.response_timeout_s = request.response_timeout();
  out.startup_timeout_s = request.startup_timeout();
  return out;
}

WorkerScaling scaling_of(const api::ScaleWorkerRequest& request) {
  WorkerScaling out{request.model_name(), request.model_version()};
  out.min = request.min_worker() > 0 ? request.min_worker() : 1;
  out.max = request.max_worker() > 0 ? request.max_worker() : out.min;
  out.synchronous = request.synchronous();
  return out;
}

/// What is wanted of a description, over gRPC with the text as clients print it. Gives the version whose handler is run
/// for it; 0: none is.
int64_t describe(Inference& inference, const Management& management, const api::DescribeModelRequest& request,
                 std::shared_ptr<CancelToken> cancel, const Done& done) {
  const auto finish = [done](Management::Outcome outcome) {
    if (!outcome.failure) outcome.text = indented(outcome.text);
    done(std::move(outcome));
  };
  const InferPath asked{request.model_name(), request.model_version()};
  if (request.customized() && asked.version != "all")
    if (Result<VersionPin> pin = pin_model(inference.catalog(), asked.model, asked.version);
        pin.ok() && takes_bodies(**pin)) {
      const int64_t version = (*pin)->version();
      describe_customized(inference, management, *std::move(pin), asked, {}, std::move(cancel), finish);
      return version;
    }
  Result<std::string> text = management.describe(asked.model, asked.version);
  finish(text.ok() ? Management::Outcome{.text = *std::move(text)}
                   : Management::Outcome{.failure = failure_of(text.status())});
  return 0;
}

/// A call of DescribeModel, for which a handler may be run until the client goes away.
class DescribeCall final : public wire::WholeMessageHandler {
 public:
  DescribeCall(std::shared_ptr<wire::GrpcCall> call, Inference& inference, std::shared_ptr<const Management> management)
      : call_(std::move(call)), inference_(inference), management_(std::move(management)) {}

  void on_message(Bytes message) override {
    if (std::exchange(called_, true))
      return call_->finish(internal("DescribeModel takes one message, and was sent more"));
    api::DescribeModelRequest request;
    if (!read_message(message, "DescribeModel", request, *call_)) return;
    model_ = request.model_name();
    version_ = describe(inference_, *management_, request, cancel_, later_answer(call_));
  }
  void on_half_close() override {
    if (!called_) call_->finish(internal("DescribeModel takes one message, and was sent none"));
  }
  void on_cancel(const Status& reason) override {
    cancel_->cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                             : CancelToken::Reason::kClientGone);
    if (version_ != 0) inference_.cancelled(model_, version_);
  }

 private:
  const std::shared_ptr<wire::GrpcCall> call_;
  Inference& inference_;
  const std::shared_ptr<const Management> management_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();
  bool called_ = false;
  std::string model_;
  int64_t version_ = 0;  // whose handler is run; 0: none
};

}  // namespace

void add_management_methods(wire::GrpcMethods& methods, Inference& inference,
                            const std::shared_ptr<const Management>& management) {
  using Answer = Result<api::ManagementResponse>;
  add_unary<api::ListModelsRequest>(
      methods, ApiGroup::kMetadata, std::string(kService) + "ListModels",
      [management](const api::ListModelsRequest& request) -> Answer {
        return response_of(indented(management->list(request.limit(), request.next_page_token())));
      });
  // Whether a handler is run stands in the message, when the call is let in already: so it is no kMetadata.
  methods.add(
      std::string(kService) + "DescribeModel",
      [&inference, management](std::shared_ptr<wire::GrpcCall> call) {
        return std::make_unique<DescribeCall>(std::move(call), inference, management);
      },
      ApiGroup::kManagement);
  add_operation<api::RegisterModelRequest>(methods, "RegisterModel",
                                           [management](const api::RegisterModelRequest& request, Done done) {
                                             management->register_model(registration_of(request), std::move(done));
                                           });
  add_operation<api::ScaleWorkerRequest>(methods, "ScaleWorker",
                                         [management](const api::ScaleWorkerRequest& request, Done done) {
                                           management->scale(scaling_of(request), std::move(done));
                                         });
  add_operation<api::SetDefaultRequest>(
      methods, "SetDefault", [management](const api::SetDefaultRequest& request, Done done) {
        management->set_default(request.model_name(), request.model_version(), std::move(done));
      });
  add_operation<api::UnregisterModelRequest>(
      methods, "UnregisterModel", [management](const api::UnregisterModelRequest& request, Done done) {
        management->unregister(request.model_name(), request.model_version(), std::move(done));
      });
  methods.describe(api::ListModelsRequest::descriptor()->file()->FindServiceByName("ManagementAPIsService"));
}

}  // namespace modelmill::torchserve
