#include "dialect/tfserving/grpc_predict.h"

#include <utility>

#include "dialect/call_handler.h"
#include "dialect/grpc_infer_call.h"
#include "dialect/requested_outputs.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/predict_codec.h"
#include "dialect/tfserving/predict_scanner.h"
#include "dialect/tfserving/saved_model.h"

namespace modelmill::tfserving {
namespace {

constexpr const char* kNotDecoupled =
    "this model gives any number of answers to a request; ask it by V2's ModelStreamInfer";

/// One Predict call.
class PredictCall final : public GrpcInferCall {
 public:
  PredictCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, bool timed, Offload* offload,
              std::shared_ptr<Observers> observers)
      : GrpcInferCall(inference, std::move(call), timed, offload), observers_(std::move(observers)) {}

  void begin(size_t length) {
    if (!received()) scanner_.begin(length);
  }
  void feed(std::span<const std::byte> bytes) {
    if (!received()) scanner_.feed(bytes);
  }

 private:
  Status scanned() override { return scanner_.end(); }
  size_t unparsed_bytes() const override { return scanner_.unparsed_bytes(); }
  Status parse(InferRequest& request) override;
  void submit(InferRequestPtr request) override;
  void abandoned() override { inference().cancelled(routed(), target_.model, target_.version.value_or(0)); }
  Result<Chunks> encode(InferResponse& response) override;
  void answered(const Status& status) override;
  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response) times_ = response.times;
    GrpcInferCall::on_response(std::move(response), final, has_response);
  }
  void infer(Result<VersionPin> pin);

  const std::shared_ptr<Observers> observers_;
  const TimePoint start_ = Clock::now();
  PredictScanner scanner_;
  InferRequestPtr waiting_;  // for its version
  // What the answer needs of the request.
  ModelTarget target_;
  std::string signature_;
  int64_t version_ = 0;
  std::string runtime_;
  RequestTimes times_;                     // of the answer
  std::unique_ptr<LoggedRequest> logged_;  // null: it is not
  boost::container::small_vector<RequestedOutput, 2> requested_;
};

Status PredictCall::parse(InferRequest& request) {
  if (!scanner_.has_model_spec()) return invalid_argument("Missing ModelSpec");
  MM_ASSIGN_OR_RETURN(target_, read_model_spec(scanner_.model_spec()));
  return read_predict_request(scanner_, request);
}

void PredictCall::submit(InferRequestPtr request) {
  waiting_ = std::move(request);
  uint64_t bytes = 0;
  for (const Tensor& input : waiting_->inputs) bytes += input.byte_size();
  const auto cancel = waiting_->cancel;
  if (!target_.version && target_.label.empty()) GrpcInferCall::find_route(target_.model);
  pin_when_loaded(inference(), target_, routed(), waiting_->deadline, cancel, bytes,
                  [self = std::static_pointer_cast<PredictCall>(shared_from_this())](Result<VersionPin> pin) {
                    self->infer(std::move(pin));
                  });
}

void PredictCall::infer(Result<VersionPin> pin) {
  InferRequestPtr request = std::move(waiting_);
  if (!pin.ok() && routed()) return routed()->answer_without(std::move(request), pin.status());
  if (!pin.ok()) return request->fail(pin.status());
  ModelVersion& version = **pin;
  const ModelVersion* const entry = find_signature(version, target_.signature);
  if (entry == nullptr)
    return request->fail(failed_precondition("Serving signature key \"" + target_.signature + "\" not found."));
  aim_at(*entry, version, *request);
  signature_ = signature_name(*entry);
  version_ = version.version();
  runtime_ = runtime_of(version);
  request->model = target_.model;
  request->version = version_;
  requested_ = request->outputs;
  logged_ = observers_->log.draw(version);
  if (logged_) logged_->request = write_predict_request(*request, {target_.model, version_, signature_});
  inference().submit(*std::move(pin), std::move(request), kNotDecoupled, routed());
}

Result<Chunks> PredictCall::encode(InferResponse& response) {
  keep_requested({requested_.data(), requested_.size()}, response);
  const int64_t version = response.version != 0 ? response.version : version_;
  const PredictSpec spec{target_.model, version, signature_};
  Chunks message = write_predict_response(response, spec);
  if (logged_) observers_->log.write(*logged_, LoggedKind::kPredict, spec, message);
  return message;
}

void PredictCall::answered(const Status& status) {
  if (version_ == 0) return;
  observers_->metrics.answered(target_.model, "Predict", "GRPC", status, Clock::now() - start_);
  if (status.ok()) observers_->metrics.ran(target_.model, "Predict", runtime_, times_);
}

}  // namespace

wire::GrpcMethodFactory predict_method(Inference& inference, bool server_timing, Offload* offload,
                                       std::shared_ptr<Observers> observers) {
  return [&inference, server_timing, offload, observers = std::move(observers)](
             std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<CallHandler<PredictCall>>(
        std::make_shared<PredictCall>(inference, std::move(call), server_timing, offload, observers));
  };
}

}  // namespace modelmill::tfserving
