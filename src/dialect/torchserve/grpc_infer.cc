#include "dialect/torchserve/grpc_infer.h"

#include <atomic>
#include <string>
#include <utility>

#include "dialect/grpc_infer_call.h"
#include "dialect/paced_reply.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/grpc_messages.h"
#include "dialect/torchserve/grpc_stream.h"
#include "dialect/torchserve/infer_codec.h"
#include "dialect/torchserve/model_version.h"

namespace modelmill::torchserve {
namespace {

constexpr const char* kService = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/";
constexpr const char* kManyAnswers = "this model gives any number of answers to a request; ask it by StreamPredictions";

/// The answers of a StreamPredictions call, on their way to its loop.
class AnswerStream final : public PacedReply {
 public:
  explicit AnswerStream(std::shared_ptr<wire::GrpcCall> call) : PacedReply(call->loop()), call_(std::move(call)) {}

  /// Any thread, one call after the other.
  void send(Chunks message, size_t size) {
    made(size);
    loop().post([self = shared_from_this(), this, message = std::move(message), size]() mutable {
      call_->send(std::move(message));
      sent(size);
    });
  }
  void finish(const Status& status) {
    loop().post([self = shared_from_this(), this, status] {
      stop();
      call_->finish(status);
    });
  }
  /// The client has gone. Loop thread.
  void abandon() { stop(); }

 private:
  size_t unsent_bytes() const override { return call_->unsent_bytes(); }

  const std::shared_ptr<wire::GrpcCall> call_;
};

/// One call of either method.
class PredictCall final : public GrpcInferCall {
 public:
  PredictCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, bool timed, Offload* offload, bool streams,
              std::shared_ptr<TorchMetrics> metrics)
      : GrpcInferCall(inference, call, timed, offload),
        metrics_(std::move(metrics)),
        stream_(streams ? std::make_shared<AnswerStream>(std::move(call)) : nullptr) {}

  void take(Bytes message) {
    if (received()) return;
    message_ = std::move(message);
    end();
  }
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  Status scanned() override { return ok_status(); }
  size_t unparsed_bytes() const override { return message_.size(); }
  Status parse(InferRequest& request) override;
  void submit(InferRequestPtr request) override;
  void abandoned() override {
    inference().cancelled(routed(), question_.model, version_);
    if (stream_) stream_->abandon();
  }
  Result<Chunks> encode(InferResponse& response) override;
  Status refusal(const InferResponse& response) const override;

  Status read_message();
  Result<VersionPin> pin();
  Status read_for(VersionPin pin, InferRequest& request);

  const std::string& asked_model() const { return routed() ? routed()->target().model : question_.model; }

  const std::shared_ptr<TorchMetrics> metrics_;
  const std::shared_ptr<AnswerStream> stream_;  // null: there is one answer
  const TimePoint start_ = Clock::now();
  Bytes message_;
  PredictionsRequest question_;
  AnswerForm form_;
  VersionPin pin_;                   // until it is submitted
  std::atomic<int64_t> version_{0};  // that was pinned
  TorchMetrics::SeriesRef series_;   // from then on
  Status told_;                      // what a handler says went wrong
  InferRequestPtr waiting_;          // for its model to load
  bool ended_ = false;               // the stream; answers of a request come one after the other
};

Status PredictCall::read_message() {
  MM_RETURN_IF_ERROR(read_predictions_request(message_, question_));
  return question_.model.empty() ? invalid_argument(kNoModelName) : ok_status();
}

Status PredictCall::read_for(VersionPin pin, InferRequest& request) {
  pin_ = std::move(pin);
  request.version = pin_->version();
  version_ = request.version;
  request.model = question_.model;
  series_ = metrics_->asked(question_.model, question_.version);
  Question question;
  question.fields = question_.fields;
  return read_question(question, *pin_, request, form_);
}

Result<VersionPin> PredictCall::pin() {
  return pin_model(inference().catalog(), question_.model, question_.version, routed());
}

Status PredictCall::parse(InferRequest& request) {
  if (stream_) request.room = stream_->room();
  MM_RETURN_IF_ERROR(read_message());
  if (question_.version.empty()) find_route(question_.model);
  Result<VersionPin> pinned = pin();
  if (pinned.ok()) return read_for(*std::move(pinned), request);
  return inference().loads_on_demand(asked_model()) ? ok_status() : pinned.status();
}

void PredictCall::submit(InferRequestPtr request) {
  const char* refusal = stream_ ? nullptr : kManyAnswers;
  if (pin_) return inference().submit(std::move(pin_), std::move(request), refusal, routed());
  waiting_ = std::move(request);
  inference().wait_for_model(
      {asked_model(), waiting_->deadline, waiting_->cancel, message_.size(),
       [self = std::static_pointer_cast<PredictCall>(shared_from_this()), refusal](Status status) {
         InferRequestPtr loaded = std::move(self->waiting_);
         if (status.ok()) {
           auto pinned = self->pin();
           status = pinned.ok() ? self->read_for(*std::move(pinned), *loaded) : pinned.status();
         }
         if (!status.ok()) return loaded->fail(status);
         self->inference().submit(std::move(self->pin_), std::move(loaded), refusal, self->routed());
       }});
}

Result<Chunks> PredictCall::encode(InferResponse& response) {
  if (const auto failure = failure_in(response, form_))
    return told_ = Status(grpc_code_of(failure->status), grpc_message(*failure));
  MM_ASSIGN_OR_RETURN(Answer answer, write_answer(response, form_));
  return response_message(std::move(answer.body));
}

Status PredictCall::refusal(const InferResponse& response) const {
  if (!told_.ok()) return told_;
  const Failure failure = grpc_inference_failure(failure_in(response, form_).value_or(failure_of(response.status)));
  return {grpc_code_of(failure.status), grpc_message(failure)};
}

void PredictCall::on_response(InferResponse response, bool final, bool has_response) {
  if (ended_) return;
  const bool counts = final && response.status.ok() && series_;
  if (counts) metrics_->answered(*series_, response.times, Clock::now() - start_);
  if (!stream_) return GrpcInferCall::on_response(std::move(response), final, has_response);
  if (has_response && response.status.ok()) {
    Result<Chunks> message = encode(response);
    response.status = message.status();
    size_t size = 0;
    if (message.ok()) {
      for (const Bytes& piece : *message) size += piece.size();
      stream_->send(*std::move(message), size);
    }
  }
  ended_ = final || !response.status.ok();
  if (ended_) stream_->finish(response.status.ok() ? ok_status() : refusal(response));
}

/// The wire's side of a call.
class PredictHandler final : public wire::WholeMessageHandler {
 public:
  explicit PredictHandler(std::shared_ptr<PredictCall> call) : call_(std::move(call)) {}
  void on_message(Bytes message) override { call_->take(std::move(message)); }
  void on_half_close() override { call_->half_close(); }
  void on_cancel(const Status& reason) override { call_->cancel(reason); }

 private:
  const std::shared_ptr<PredictCall> call_;
};

}  // namespace

void add_inference_methods(wire::GrpcMethods& methods, Inference& inference, bool server_timing, Offload* offload,
                           const std::shared_ptr<TorchMetrics>& metrics, const SequenceNames& names) {
  for (const bool streams : {false, true})
    methods.add(
        std::string(kService) + (streams ? "StreamPredictions" : "Predictions"),
        [&inference, server_timing, offload, streams,
         metrics](std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
          return std::make_unique<PredictHandler>(
              std::make_shared<PredictCall>(inference, std::move(call), server_timing, offload, streams, metrics));
        },
        wire::ApiGroup::kInference);
  methods.add(std::string(kService) + "StreamPredictions2",
              predictions_stream_method(inference, offload, metrics, names), wire::ApiGroup::kInference);
}

}  // namespace modelmill::torchserve
