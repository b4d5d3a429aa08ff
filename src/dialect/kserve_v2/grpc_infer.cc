#include "dialect/kserve_v2/grpc_infer.h"

#include <optional>
#include <utility>

#include "dialect/call_handler.h"
#include "dialect/grpc_infer_call.h"
#include "dialect/header_forwarding.h"
#include "dialect/infer_observer.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "dialect/kserve_v2/open_call.h"
#include "dialect/kserve_v2/output_selection.h"

namespace modelmill::kserve_v2 {
namespace {

/// One ModelInfer call.
class InferCall final : public GrpcInferCall {
 public:
  InferCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, const HttpOptions& options,
            const SharedRegions& regions)
      : GrpcInferCall(inference, std::move(call), options.server_timing, options.offload),
        observer_(options.observer),
        forwarding_(options.forwarding),
        shared_(&regions) {}

  void begin(size_t length) {
    if (!received()) scanner_.begin(length);
  }
  void feed(std::span<const std::byte> bytes) {
    if (!received()) scanner_.feed(bytes);
  }

 private:
  Status scanned() override { return scanner_.end(); }
  /// Raw contents are in their places already; typed ones are among the fields.
  size_t unparsed_bytes() const override { return scanner_.fields().size(); }
  Status parse(InferRequest& request) override {
    return parse_infer_request(scanner_.fields(), scanner_.raw_contents(), request, options_, shared_);
  }
  Status fetch(InferRequest& request) override { return shared_.read_inputs(request); }
  size_t fetched_bytes() const override { return shared_.input_bytes(); }
  void submit(InferRequestPtr request) override;
  void abandoned() override { inference().cancelled(routed(), model_, version_); }
  Result<Chunks> encode(InferResponse& response) override;
  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response) times_ = response.times;
    GrpcInferCall::on_response(std::move(response), final, has_response);
  }
  void answered(const Status& status) override {
    if (observer_) observer_->answered(served_model(), /*explained=*/false, status, times_);
  }
  const std::string& served_model() const { return routed() ? routed()->target().model : model_; }

  const std::shared_ptr<InferObserver> observer_;             // null: nobody looks
  const std::shared_ptr<const HeaderForwarding> forwarding_;  // null: models get no metadata
  InferScanner scanner_;
  InferOptions options_;
  // What the answer needs of the request.
  std::string model_;
  std::string id_;
  int64_t version_ = 0;
  RequestedOutputs requested_;
  RequestTimes times_;  // of the answer
  SharedTensors shared_;
};

void InferCall::submit(InferRequestPtr request) {
  model_ = request->model;
  id_ = request->id;
  version_ = request->version;
  requested_ = request->outputs;
  if (forwarding_)
    if (Status status = forwarding_->apply(call()->metadata(), *request); !status.ok())
      return request->fail(std::move(status));
  if (version_ == 0 && request->label.empty()) find_route(model_);
  if (may_ask_open_model(inference().catalog(), *request, routed()))
    request->parameters.set(std::string(kOpenRequest), options_.open.text(call()->metadata()));
  inference().submit(std::move(request), "ModelInfer RPC doesn't support models with decoupled transaction policy",
                     routed());
}

Result<Chunks> InferCall::encode(InferResponse& response) {
  std::optional<OpenHead> open;
  if (OpenAnswer::is(response))
    open.emplace(response);
  else
    MM_RETURN_IF_ERROR(select_outputs(inference().catalog(), served_model(), requested_, response));
  MM_RETURN_IF_ERROR(shared_.write_outputs(response));
  if (routed()) routed()->describe(response.parameters);
  const int64_t version = response.version != 0 ? response.version : version_;
  if (open)
    for (auto& [name, value] : open->headers()) add_trailer(std::move(name), std::move(value));
  const ResponseHead head{model_, version, id_};
  return encode_infer_response(response, open ? open->with(head) : head);
}

}  // namespace

wire::GrpcMethodFactory model_infer_method(Inference& inference, const HttpOptions& options,
                                           std::shared_ptr<const SharedRegions> regions) {
  return [&inference, options, regions = std::move(regions)](
             std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<CallHandler<InferCall>>(
        std::make_shared<InferCall>(inference, std::move(call), options, *regions));
  };
}

}  // namespace modelmill::kserve_v2
