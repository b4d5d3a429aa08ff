#include "dialect/tfserving/rest_call.h"

#include <optional>
#include <utility>

#include "dialect/http_router.h"
#include "dialect/large_work.h"
#include "dialect/server_timing.h"
#include "dialect/tfserving/examples.h"
#include "dialect/tfserving/json_predict.h"
#include "dialect/tfserving/results.h"

namespace modelmill::tfserving {
namespace {

std::string_view api_name(Ask ask) {
  if (ask == Ask::kPredict) return "predict";
  return ask == Ask::kClassify ? "classify" : "regress";
}

/// One request: the sink of its answer, which is written on the thread it comes on and sent on the loop. A large
/// request is read, and a large answer written, by the offload instead of the loop.
class RestCall final : public ResponseSink, public std::enable_shared_from_this<RestCall> {
 public:
  RestCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
           std::shared_ptr<ServingMetrics> metrics)
      : inference_(inference),
        exchange_(std::move(exchange)),
        metrics_(std::move(metrics)),
        ask_(path.ask),
        model_(path.target.model) {}

  void start(VersionPin pin, const HttpOptions& options);
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  void abandon() {
    cancel_.cancel(CancelToken::Reason::kClientGone);
    inference_.cancelled(model_, version_);
  }
  void read(std::optional<Result<Bytes>> body, const HttpOptions& options);
  Status parse(const Bytes& body, InferRequest& request);
  bool is_large_answer() const;
  void answer();
  wire::HttpReply write();
  Result<std::string> write_body();

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::shared_ptr<ServingMetrics> metrics_;
  const TimePoint start_ = Clock::now();
  const Ask ask_;
  const std::string model_;
  std::string encoding_;  // of the reply's body; empty: none
  int64_t version_ = 0;
  bool timed_ = false;
  Offload* offload_ = nullptr;
  JsonFormat format_ = JsonFormat::kRow;
  size_t examples_ = 0;
  ModelVersion::Description description_;  // of classifications
  CancelToken cancel_;
  VersionPin pin_;           // until it is read
  InferRequestPtr request_;  // the same
  int responses_ = 0;
  InferResponse response_;
};

void RestCall::start(VersionPin pin, const HttpOptions& options) {
  const wire::HttpRequest& http = exchange_->request();
  timed_ = options.server_timing || asks_timing(http);
  offload_ = options.offload;
  exchange_->on_abandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  version_ = pin->version();
  encoding_ = choose_encoding(http.header("accept-encoding"));
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->model = model_;
  request_->version = version_;
  request_->trace = http.trace;
  request_->id = http.header("x-request-id");
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  pin_ = std::move(pin);
  std::optional<Result<Bytes>> body = decode_on_loop(http, options);
  const bool large = !body || (body->ok() && (*body)->size() > kLoopBytes);
  if (!large || offload_ == nullptr) return read(std::move(body), options);
  const Status status =
      run_large(*offload_, [self = shared_from_this(), body = std::move(body), options] { self->read(body, options); });
  if (!status.ok()) std::exchange(request_, nullptr)->fail(status);
}

void RestCall::read(std::optional<Result<Bytes>> body, const HttpOptions& options) {
  InferRequestPtr request = std::move(request_);
  Status status = within_memory([&]() -> Status {
    const wire::HttpRequest& http = exchange_->request();
    if (!body) body = decode_body(http.body, http.header("content-encoding"), options.inflate);
    MM_RETURN_IF_ERROR(body->status());
    return parse(**body, *request);
  });
  request->times.received = Clock::now();
  if (status.ok() && request->cancelled()) status = cancelled("the client has gone away");
  if (!status.ok()) return request->fail(std::move(status));
  inference_.submit(std::move(pin_), std::move(request),
                    "this model gives any number of answers to a request; ask it by gRPC ModelStreamInfer or by POST "
                    "/v2/models/MODEL/generate_stream");
}

Status RestCall::parse(const Bytes& body, InferRequest& request) {
  if (ask_ == Ask::kPredict) {
    MM_ASSIGN_OR_RETURN(format_, read_json_predict(body, *pin_, request));
    return ok_status();
  }
  MM_ASSIGN_OR_RETURN(const Examples examples, read_json_examples(body, *pin_));
  examples_ = examples.list.size();
  description_ = pin_->description();
  return put_examples(examples, pin_->signature(), request);
}

void RestCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  const bool on_loop = exchange_->loop().on_thread();
  if (on_loop && offload_ != nullptr && is_large_answer() &&
      offload_->run([self = shared_from_this()] { self->answer(); })) {
    return;
  }
  answer();
}

/// Whether writing it is more than a loop should do.
bool RestCall::is_large_answer() const {
  size_t bytes = 0;
  for (const Tensor& tensor : response_.outputs) bytes += tensor.byte_size();
  return bytes > kLoopBytes;
}

void RestCall::answer() {
  wire::HttpReply reply = write();
  wire::Loop& loop = exchange_->loop();
  if (loop.on_thread()) {
    exchange_->reply(std::move(reply));
  } else {
    loop.post(
        [self = shared_from_this(), reply = std::move(reply)]() mutable { self->exchange_->reply(std::move(reply)); });
  }
}

wire::HttpReply RestCall::write() {
  Result<std::string> body = write_body();
  metrics_->answered(model_, api_name(ask_), "REST", body.status(), Clock::now() - start_);
  wire::HttpReply reply = body.ok() ? json_reply(200, std::move(body).value()) : error_reply(body.status());
  compress_reply(reply, encoding_);
  if (timed_) reply.headers.emplace_back("Server-Timing", server_timing(response_.times, Clock::now()));
  return reply;
}

Result<std::string> RestCall::write_body() {
  if (responses_ != 1) return internal("expected a single response, got " + std::to_string(responses_));
  MM_RETURN_IF_ERROR(response_.status);
  if (ask_ == Ask::kPredict) return write_json_predict(response_, format_);
  if (ask_ == Ask::kRegress) {
    MM_ASSIGN_OR_RETURN(const RegressionResult result, regression_of(response_, examples_));
    return json_of(result);
  }
  MM_ASSIGN_OR_RETURN(const ClassificationResult result, classification_of(response_, description_, examples_));
  return json_of(result);
}

}  // namespace

void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
                           VersionPin pin, const HttpOptions& options, std::shared_ptr<ServingMetrics> metrics) {
  std::make_shared<RestCall>(inference, std::move(exchange), path, std::move(metrics))->start(std::move(pin), options);
}

}  // namespace modelmill::tfserving
