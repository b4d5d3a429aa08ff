#include "dialect/kserve_v2/http_infer.h"

#include <charconv>
#include <utility>

#include "dialect/http_compression.h"
#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/server_timing.h"
#include "serve/input_check.h"

namespace modelmill::kserve_v2 {
namespace {

/// One infer request over HTTP: the sink of its answer, which is written on the thread it comes on and sent on the
/// loop.
class HttpInferCall final : public ResponseSink, public std::enable_shared_from_this<HttpInferCall> {
 public:
  HttpInferCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model)
      : inference_(inference), exchange_(std::move(exchange)), model_(std::move(model)) {}

  /// `timed`: the answer says where its time went, whether the client asks or not.
  void start(std::string_view version, const InflateLimit& inflate, bool timed);
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  void abandon() {
    cancel_.cancel(CancelToken::Reason::kClientGone);
    inference_.cancelled(model_, version_);
  }
  Status parse(std::string_view version, const InflateLimit& inflate, InferRequest& request);
  wire::HttpReply write_reply();
  wire::HttpReply write_answer();

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::string model_;
  std::string id_;
  std::string encoding_;  // of the reply's body; empty: none
  int64_t version_ = 0;
  bool timed_ = false;
  HttpOutputs outputs_;
  CancelToken cancel_;
  int responses_ = 0;
  InferResponse response_;
};

/// The length of the JSON in front of the body.
Status read_header_length(const wire::HttpRequest& request, size_t body_size, size_t& length) {
  const std::string_view text = request.header("inference-header-content-length");
  length = body_size;
  if (text.empty()) return ok_status();
  int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid_argument("Unable to parse Inference-Header-Content-Length, got: " + std::string(text));
  }
  if (parsed < 0 || static_cast<uint64_t>(parsed) > body_size) {
    return invalid_argument("inference header size should be in range (0, " + std::to_string(body_size) +
                            "), got: " + std::string(text));
  }
  length = static_cast<size_t>(parsed);
  return ok_status();
}

void HttpInferCall::start(std::string_view version, const InflateLimit& inflate, bool timed) {
  timed_ = timed || asks_timing(exchange_->request());
  exchange_->on_abandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  auto request = std::make_unique<InferRequest>(shared_from_this());
  request->model = model_;
  request->trace = exchange_->request().trace;
  request->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  Status status = parse(version, inflate, *request);
  request->times.received = Clock::now();
  id_ = request->id;
  version_ = request->version;
  if (!status.ok()) {
    request->fail(std::move(status));
    return;
  }
  inference_.submit(std::move(request), "HTTP end point doesn't support models with decoupled transaction policy");
}

Status HttpInferCall::parse(std::string_view version, const InflateLimit& inflate, InferRequest& request) {
  wire::HttpRequest& http = exchange_->request();
  encoding_ = choose_encoding(http.header("accept-encoding"));
  MM_ASSIGN_OR_RETURN(request.version, parse_version(model_, version));
  // An unknown model is told before anything about the body.
  MM_ASSIGN_OR_RETURN(const VersionPin pin, inference_.catalog().pin(model_, request.version));
  MM_ASSIGN_OR_RETURN(const Bytes body, decode_body(http.body, http.header("content-encoding"), inflate));
  size_t header_length = 0;
  MM_RETURN_IF_ERROR(read_header_length(http, body.size(), header_length));
  if (header_length == 0 && !http.header("inference-header-content-length").empty()) {
    outputs_.binary_by_default = true;
    return parse_http_raw(body, model_, pin->signature(), has_batch_dimension(pin->definition()), request);
  }
  return parse_http_infer(body, header_length, request, outputs_);
}

void HttpInferCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  wire::HttpReply reply = write_reply();
  wire::Loop& loop = exchange_->loop();
  if (loop.on_thread()) {
    exchange_->reply(std::move(reply));
  } else {
    loop.post(
        [self = shared_from_this(), reply = std::move(reply)]() mutable { self->exchange_->reply(std::move(reply)); });
  }
}

wire::HttpReply HttpInferCall::write_reply() {
  const RequestTimes times = response_.times;
  wire::HttpReply reply = write_answer();
  if (timed_) reply.headers.emplace_back("Server-Timing", server_timing(times, Clock::now()));
  return reply;
}

wire::HttpReply HttpInferCall::write_answer() {
  if (responses_ != 1) {
    return error_reply(internal("expected a single response, got " + std::to_string(responses_)));
  }
  if (!response_.status.ok()) return error_reply(response_.status);
  const Status selected = select_outputs(inference_.catalog(), model_, outputs_.requested, response_);
  if (!selected.ok()) return error_reply(selected);
  const int64_t version = response_.version != 0 ? response_.version : version_;
  wire::HttpReply reply = write_http_infer(response_, model_, version, id_, outputs_);
  response_.outputs.clear();
  compress_reply(reply, encoding_);
  return reply;
}

}  // namespace

void handle_http_infer(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       std::string_view version, const InflateLimit& inflate, bool server_timing) {
  std::make_shared<HttpInferCall>(inference, std::move(exchange), std::move(model))
      ->start(version, inflate, server_timing);
}

}  // namespace modelmill::kserve_v2
