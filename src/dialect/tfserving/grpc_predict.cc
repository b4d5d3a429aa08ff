#include "dialect/tfserving/grpc_predict.h"

#include <climits>
#include <utility>

#include "dialect/call_handler.h"
#include "dialect/large_work.h"
#include "dialect/requested_outputs.h"
#include "dialect/server_timing.h"
#include "dialect/tfserving/model_target.h"
#include "dialect/tfserving/predict_codec.h"
#include "dialect/tfserving/predict_scanner.h"

namespace modelmill::tfserving {
namespace {

constexpr const char* kNotDecoupled =
    "this model gives any number of answers to a request; ask it by V2's ModelStreamInfer";

/// One Predict call: scans the request as it comes, and is the sink of its answer. The scanning is the loop's; the
/// answer comes on any thread, is encoded there, and goes to the loop. Owned by its handler and by the request in
/// flight, so it outlives either.
class PredictCall final : public ResponseSink, public std::enable_shared_from_this<PredictCall> {
 public:
  PredictCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, bool timed, Offload* offload,
              std::shared_ptr<ServingMetrics> metrics)
      : inference_(inference),
        call_(std::move(call)),
        timed_(timed || call_->asks_timing()),
        offload_(offload),
        metrics_(std::move(metrics)) {}

  void begin(size_t length) {
    if (!received_) scanner_.begin(length);
  }
  void feed(std::span<const std::byte> bytes) {
    if (!received_) scanner_.feed(bytes);
  }
  void end();
  void half_close() {
    if (!received_) call_->finish(internal("the Predict call ended without a request message"));
  }
  void cancel(const Status& reason) {
    cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                            : CancelToken::Reason::kClientGone);
    if (submitted_) inference_.cancelled(target_.model, target_.version.value_or(0));
  }

  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  Status parse();
  void find_version(const Status& parsed);
  void submit(Result<VersionPin> pin);
  void encode_answer();
  void deliver();

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  const bool timed_;
  Offload* const offload_;
  const std::shared_ptr<ServingMetrics> metrics_;
  const TimePoint start_ = Clock::now();
  PredictScanner scanner_;
  CancelToken cancel_;
  InferRequestPtr request_;  // until it is submitted
  bool received_ = false;
  bool submitted_ = false;

  // What the answer needs of the request.
  ModelTarget target_;
  std::string signature_;
  int64_t version_ = 0;
  boost::container::small_vector<RequestedOutput, 2> requested_;

  // The answer; its parts are written by one thread after another.
  int responses_ = 0;
  InferResponse response_;
  wire::PackedMessage message_;
};

void PredictCall::end() {
  if (std::exchange(received_, true)) return;
  request_ = std::make_unique<InferRequest>(shared_from_this());
  Status status = scanner_.end();
  if (status.ok() && offload_ != nullptr && scanner_.unparsed_bytes() > kLoopBytes) {
    status = run_large(*offload_, [self = shared_from_this()] {
      self->call_->loop().post(
          [self, parsed = within_memory([&] { return self->parse(); })] { self->find_version(parsed); });
    });
    if (status.ok()) return;
  } else if (status.ok()) {
    status = parse();
  }
  find_version(status);
}

Status PredictCall::parse() {
  if (!scanner_.has_model_spec()) return invalid_argument("Missing ModelSpec");
  MM_ASSIGN_OR_RETURN(target_, read_model_spec(scanner_.model_spec()));
  return read_predict_request(scanner_, *request_);
}

void PredictCall::find_version(const Status& parsed) {
  submitted_ = true;
  request_->times.received = Clock::now();
  request_->deadline = call_->deadline();
  request_->trace = call_->trace();
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  if (!parsed.ok()) return std::exchange(request_, nullptr)->fail(parsed);
  uint64_t bytes = 0;
  for (const Tensor& input : request_->inputs) bytes += input.byte_size();
  const auto cancel = request_->cancel;
  pin_when_loaded(inference_, target_, request_->deadline, cancel, bytes,
                  [self = shared_from_this()](Result<VersionPin> pin) { self->submit(std::move(pin)); });
}

void PredictCall::submit(Result<VersionPin> pin) {
  InferRequestPtr request = std::move(request_);
  if (!pin.ok()) return request->fail(pin.status());
  ModelVersion& version = **pin;
  if (!serves_signature(version, target_.signature))
    return request->fail(failed_precondition("Serving signature key \"" + target_.signature + "\" not found."));
  signature_ = served_signature(version);
  version_ = version.version();
  request->model = target_.model;
  request->version = version_;
  requested_ = request->outputs;
  inference_.submit(*std::move(pin), std::move(request), kNotDecoupled);
}

void PredictCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  encode_answer();
  wire::Loop& loop = call_->loop();
  if (loop.on_thread()) {
    deliver();
  } else {
    loop.post([self = shared_from_this()] { self->deliver(); });
  }
}

void PredictCall::encode_answer() {
  if (responses_ != 1) {
    response_.status = internal("expected a single response, got " + std::to_string(responses_));
  }
  if (!response_.status.ok()) return;
  keep_requested({requested_.data(), requested_.size()}, response_);
  const int64_t version = response_.version != 0 ? response_.version : version_;
  message_.bytes = write_predict_response(response_, {target_.model, version, signature_});
  response_.outputs.clear();
  size_t size = 0;
  for (const Bytes& chunk : message_.bytes) size += chunk.size();
  if (size > INT_MAX) {
    response_.status =
        invalid_argument("the response has " + std::to_string(size) + " bytes, and a gRPC message has at most " +
                         std::to_string(INT_MAX) + "; ask for fewer outputs (output_filter) or rows");
    return;
  }
  call_->pack(message_);
}

void PredictCall::deliver() {
  if (version_ != 0) metrics_->answered(target_.model, "Predict", "GRPC", response_.status, Clock::now() - start_);
  wire::GrpcMetadata trailers;
  if (timed_) {
    trailers.emplace_back("server-timing", server_timing(response_.times, Clock::now()));
    if (response_.status.ok()) call_->send_packed(std::move(message_));
  } else if (response_.status.ok()) {
    return call_->reply_packed(std::move(message_));
  }
  call_->finish(response_.status, trailers);
}

}  // namespace

wire::GrpcMethodFactory predict_method(Inference& inference, bool server_timing, Offload* offload,
                                       std::shared_ptr<ServingMetrics> metrics) {
  return [&inference, server_timing, offload, metrics = std::move(metrics)](
             std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<CallHandler<PredictCall>>(
        std::make_shared<PredictCall>(inference, std::move(call), server_timing, offload, metrics));
  };
}

}  // namespace modelmill::tfserving
