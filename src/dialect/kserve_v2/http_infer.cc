#include "dialect/kserve_v2/http_infer.h"

#include <charconv>
#include <optional>
#include <utility>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/large_work.h"
#include "dialect/server_timing.h"
#include "dialect/version_text.h"
#include "serve/input_check.h"

namespace modelmill::kserve_v2 {
namespace {

/// One infer request over HTTP: the sink of its answer, which is written on the thread it comes on and sent on the
/// loop. A large request is read, and a large answer written, by the offload instead of the loop.
class HttpInferCall final : public ResponseSink, public std::enable_shared_from_this<HttpInferCall> {
 public:
  HttpInferCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model)
      : inference_(inference), exchange_(std::move(exchange)), model_(std::move(model)) {}

  void start(std::string_view version, const HttpOptions& options);
  void on_response(InferResponse response, bool final, bool has_response) override;

 private:
  void abandon() {
    cancel_.cancel(CancelToken::Reason::kClientGone);
    inference_.cancelled(model_, version_);
  }
  Status find_version(std::string_view version);
  void read(std::optional<Result<Bytes>> body, const HttpOptions& options);
  Status parse(const Bytes& body, InferRequest& request);
  bool is_large_answer() const;
  void answer();
  wire::HttpReply write_reply();
  wire::HttpReply write_answer();

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::string model_;
  std::string id_;
  std::string encoding_;  // of the reply's body; empty: none
  int64_t version_ = 0;
  bool timed_ = false;
  Offload* offload_ = nullptr;
  HttpOutputs outputs_;
  CancelToken cancel_;
  VersionPin pin_;           // until it is read
  InferRequestPtr request_;  // the same
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

/// How much of the body is JSON; what is behind it is not read but viewed.
size_t json_bytes(const wire::HttpRequest& request, const Bytes& body) {
  size_t length = 0;
  return read_header_length(request, body.size(), length).ok() ? length : 0;
}

void HttpInferCall::start(std::string_view version, const HttpOptions& options) {
  const wire::HttpRequest& http = exchange_->request();
  timed_ = options.server_timing || asks_timing(http);
  offload_ = options.offload;
  exchange_->on_abandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->model = model_;
  request_->trace = http.trace;
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  encoding_ = choose_encoding(http.header("accept-encoding"));
  // An unknown model is told before anything about the body.
  Status status = find_version(version);
  if (status.ok()) {
    std::optional<Result<Bytes>> body = decode_on_loop(http, options);
    const bool large = !body || (body->ok() && json_bytes(http, **body) > kLoopBytes);
    if (!large || offload_ == nullptr) return read(std::move(body), options);
    status = run_large(*offload_,
                       [self = shared_from_this(), body = std::move(body), options] { self->read(body, options); });
  }
  if (!status.ok()) std::exchange(request_, nullptr)->fail(std::move(status));
}

Status HttpInferCall::find_version(std::string_view version) {
  MM_ASSIGN_OR_RETURN(pin_, pin_path_version(inference_.catalog(), model_, version));
  version_ = pin_->version();
  return ok_status();
}

void HttpInferCall::read(std::optional<Result<Bytes>> body, const HttpOptions& options) {
  InferRequestPtr request = std::move(request_);
  request->version = version_;
  Status status = within_memory([&]() -> Status {
    const wire::HttpRequest& http = exchange_->request();
    if (!body) body = decode_body(http.body, http.header("content-encoding"), options.inflate);
    MM_RETURN_IF_ERROR(body->status());
    return parse(**body, *request);
  });
  request->times.received = Clock::now();
  id_ = request->id;
  if (status.ok() && request->cancelled()) status = cancelled("the client has gone away");
  if (!status.ok()) return request->fail(std::move(status));
  inference_.submit(std::move(pin_), std::move(request),
                    "HTTP end point doesn't support models with decoupled transaction policy");
}

Status HttpInferCall::parse(const Bytes& body, InferRequest& request) {
  const wire::HttpRequest& http = exchange_->request();
  size_t header_length = 0;
  MM_RETURN_IF_ERROR(read_header_length(http, body.size(), header_length));
  if (header_length == 0 && !http.header("inference-header-content-length").empty()) {
    outputs_.binary_by_default = true;
    return parse_http_raw(body, model_, pin_->signature(), has_batch_dimension(pin_->definition()), request);
  }
  return parse_http_infer(body, header_length, request, outputs_);
}

void HttpInferCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  const bool on_loop = exchange_->loop().on_thread();
  if (on_loop && offload_ != nullptr && is_large_answer() &&
      offload_->run([self = shared_from_this()] { self->answer(); })) {
    return;
  }
  answer();
}

/// Whether writing it is more than a loop should do: binary data is only passed on, unless it is to be compressed.
bool HttpInferCall::is_large_answer() const {
  size_t bytes = 0;
  for (const Tensor& tensor : response_.outputs) {
    if (!encoding_.empty() || !outputs_.is_binary(tensor.name)) bytes += tensor.byte_size();
  }
  return bytes > kLoopBytes;
}

void HttpInferCall::answer() {
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
                       std::string_view version, const HttpOptions& options) {
  std::make_shared<HttpInferCall>(inference, std::move(exchange), std::move(model))->start(version, options);
}

}  // namespace modelmill::kserve_v2
