#include "dialect/kserve_v2/grpc_infer.h"

#include <climits>
#include <utility>

#include "dialect/call_handler.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "dialect/kserve_v2/output_selection.h"
#include "dialect/large_work.h"
#include "dialect/server_timing.h"

namespace modelmill::kserve_v2 {
namespace {

/// One ModelInfer call: scans the request as it comes, and is the sink of its answer. The scanning is the loop's; the
/// answer comes on any thread, is encoded there, and goes to the loop. Owned by its handler and by the request in
/// flight, so it outlives either.
class InferCall final : public ResponseSink, public std::enable_shared_from_this<InferCall> {
 public:
  /// `timed`: the answer says where its time went, whether the client asks or not.
  InferCall(Inference& inference, std::shared_ptr<wire::GrpcCall> call, bool timed, Offload* offload)
      : inference_(inference), call_(std::move(call)), timed_(timed || call_->asks_timing()), offload_(offload) {}

  void begin(size_t length) {
    if (received_) return;
    scanner_.begin(length);
  }
  void feed(std::span<const std::byte> bytes) {
    if (!received_) scanner_.feed(bytes);
  }
  void end();
  void half_close() {
    if (!received_) call_->finish(internal("the ModelInfer call ended without a request message"));
  }
  void cancel(const Status& reason) {
    cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                            : CancelToken::Reason::kClientGone);
    if (submitted_) inference_.cancelled(model_, version_);
  }

  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  Status parse();
  void submit(Status status);
  void encode_answer();
  void deliver();

  Inference& inference_;
  const std::shared_ptr<wire::GrpcCall> call_;
  const bool timed_;
  Offload* const offload_;
  InferScanner scanner_;
  CancelToken cancel_;
  InferRequestPtr request_;  // until it is submitted
  bool received_ = false;
  bool submitted_ = false;

  // What the answer needs of the request.
  std::string model_;
  std::string id_;
  int64_t version_ = 0;
  RequestedOutputs requested_;

  // The answer; its parts are written by one thread after another.
  int responses_ = 0;
  InferResponse response_;
  wire::PackedMessage message_;
};

void InferCall::end() {
  if (std::exchange(received_, true)) return;
  request_ = std::make_unique<InferRequest>(shared_from_this());
  Status status = scanner_.end();
  // Raw contents are in their places already; typed ones are among the fields.
  if (status.ok() && offload_ != nullptr && scanner_.fields().size() > kLoopBytes) {
    status = run_large(*offload_, [self = shared_from_this()] {
      self->call_->loop().post([self, parsed = within_memory([&] { return self->parse(); })] { self->submit(parsed); });
    });
    if (status.ok()) return;
  } else if (status.ok()) {
    status = parse();
  }
  submit(std::move(status));
}

Status InferCall::parse() {
  InferOptions options;
  return parse_infer_request(scanner_.fields(), scanner_.raw_contents(), *request_, options);
}

void InferCall::submit(Status status) {
  submitted_ = true;
  InferRequestPtr request = std::move(request_);
  request->times.received = Clock::now();
  request->deadline = call_->deadline();
  request->trace = call_->trace();
  request->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  if (!status.ok()) {
    request->fail(std::move(status));
    return;
  }
  model_ = request->model;
  id_ = request->id;
  version_ = request->version;
  requested_ = request->outputs;
  inference_.submit(std::move(request), "ModelInfer RPC doesn't support models with decoupled transaction policy");
}

void InferCall::on_response(InferResponse response, bool final, bool has_response) {
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

void InferCall::encode_answer() {
  if (responses_ != 1) {
    response_.status = internal("expected a single response, got " + std::to_string(responses_));
  }
  if (response_.status.ok()) response_.status = select_outputs(inference_.catalog(), model_, requested_, response_);
  if (!response_.status.ok()) return;
  const int64_t version = response_.version != 0 ? response_.version : version_;
  message_.bytes = encode_infer_response(response_, {model_, version, id_});
  response_.outputs.clear();
  size_t size = 0;
  for (const Bytes& chunk : message_.bytes) size += chunk.size();
  if (size > INT_MAX) {
    response_.status =
        invalid_argument("Response has byte size " + std::to_string(size) + " which exceeds gRPC's byte size limit " +
                         std::to_string(INT_MAX) + "; ask for fewer outputs or rows, or use HTTP with binary data");
    return;
  }
  call_->pack(message_);
}

void InferCall::deliver() {
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

wire::GrpcMethodFactory model_infer_method(Inference& inference, bool server_timing, Offload* offload) {
  return [&inference, server_timing,
          offload](std::shared_ptr<wire::GrpcCall> call) -> std::unique_ptr<wire::GrpcCallHandler> {
    return std::make_unique<CallHandler<InferCall>>(
        std::make_shared<InferCall>(inference, std::move(call), server_timing, offload));
  };
}

}  // namespace modelmill::kserve_v2
