#include "dialect/kserve_v2/http_generate.h"

#include <optional>
#include <utility>

#include "dialect/header_forwarding.h"
#include "dialect/http_router.h"
#include "dialect/http_stream.h"
#include "dialect/kserve_v2/generate_codec.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/large_work.h"
#include "dialect/route_facts.h"
#include "dialect/version_text.h"

namespace modelmill::kserve_v2 {
namespace {

/// One request of the generate extension and the sink of its answers, which are written on the thread they come on and
/// sent on the loop.
class GenerateCall : public ResponseSink, public std::enable_shared_from_this<GenerateCall> {
 public:
  GenerateCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
               RoutedRequestPtr routed)
      : inference_(inference), exchange_(std::move(exchange)), model_(std::move(model)), routed_(std::move(routed)) {}

  void start(std::string_view version, const HttpOptions& options);

 protected:
  /// The client has gone, on the loop.
  virtual void abandoned() {}
  /// Where several answers wait for the client; null: nowhere.
  virtual std::shared_ptr<Room> room() { return nullptr; }

  wire::HttpExchange& exchange() { return *exchange_; }
  wire::Loop& loop() { return exchange_->loop(); }
  /// Nobody wants the answer any more.
  void cancel() {
    cancel_.cancel(CancelToken::Reason::kClientGone);
    inference_.cancelled(routed_, model_, version_);
  }
  const RoutedRequestPtr& routed() const { return routed_; }
  /// The answer's JSON; its status is what went wrong, now at the latest.
  std::string write(InferResponse& response) const;

 private:
  Status find_version(std::string_view version);
  Status read(const Bytes& body, InferRequest& request);
  Result<std::string> write_open(InferResponse& response) const;
  void parse(std::optional<Result<Bytes>> body, const HttpOptions& options);

  Inference& inference_;
  const std::shared_ptr<wire::HttpExchange> exchange_;
  const std::string model_;
  const RoutedRequestPtr routed_;  // null: the request names a model
  int64_t version_ = 0;
  std::string id_;
  bool is_open_ = false;  // the model's signature
  CancelToken cancel_;
  VersionPin pin_;           // until it is submitted
  InferRequestPtr request_;  // the same
};

void GenerateCall::start(std::string_view version, const HttpOptions& options) {
  const Status found = find_version(version);
  if (!found.ok()) {
    // The route may have an answer of its own.
    if (routed_) return routed_->answer_without(std::make_unique<InferRequest>(shared_from_this()), found);
    return exchange_->reply(error_reply(found));
  }
  exchange_->on_abandoned([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->cancel();
    self->abandoned();
  });
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->model = model_;
  request_->version = version_;
  request_->trace = exchange_->request().trace;
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  request_->room = room();
  std::optional<Result<Bytes>> body = decode_on_loop(exchange_->request(), options);
  const bool large = !body || (body->ok() && (*body)->size() > kLoopBytes);
  if (!large || options.offload == nullptr) return parse(std::move(body), options);
  const Status status = run_large(
      *options.offload, [self = shared_from_this(), body = std::move(body), options] { self->parse(body, options); });
  if (!status.ok()) std::exchange(request_, nullptr)->fail(status);
}

Status GenerateCall::find_version(std::string_view version) {
  MM_ASSIGN_OR_RETURN(pin_, pin_path_version(inference_.catalog(), model_, version, routed_));
  version_ = pin_->version();
  return ok_status();
}

/// Code with an open signature has no names to make inputs of: it is asked as for an inference.
Status GenerateCall::read(const Bytes& body, InferRequest& request) {
  is_open_ = pin_->signature().open;
  if (!is_open_) return parse_generate(body, pin_->signature(), request);
  HttpOutputs outputs;
  SharedTensors shared;
  OpenRequest open;
  open.set_stream();
  MM_RETURN_IF_ERROR(parse_http_infer(body, body.size(), request, outputs, shared, &open));
  request.parameters.set(std::string(kOpenRequest), open.text(exchange_->request().headers));
  return ok_status();
}

void GenerateCall::parse(std::optional<Result<Bytes>> body, const HttpOptions& options) {
  InferRequestPtr request = std::move(request_);
  const Status status = within_memory([&]() -> Status {
    const wire::HttpRequest& http = exchange_->request();
    if (!body) body = decode_body(http.body, http.header("content-encoding"), options.inflate);
    MM_RETURN_IF_ERROR(body->status());
    MM_RETURN_IF_ERROR(read(**body, *request));
    return options.forwarding ? options.forwarding->apply(http.headers, *request, http.sent_names) : ok_status();
  });
  id_ = request->id;
  request->times.received = Clock::now();
  if (!status.ok()) return request->fail(status);
  if (request->cancelled()) return request->fail(cancelled("the client has gone away"));
  inference_.submit(std::move(pin_), std::move(request), nullptr, routed_);
}

Result<std::string> GenerateCall::write_open(InferResponse& response) const {
  const std::optional<OpenAnswer> open = OpenAnswer::take(response);
  const int64_t version = response.version != 0 ? response.version : version_;
  if (!response.status.ok()) return write_generate(response, model_, version, id_);
  const std::string& id = open && !open->id.empty() ? open->id : id_;
  const wire::HttpReply reply = write_http_infer(response, model_, version, id, {}, open ? &*open : nullptr);
  std::string text;
  for (const Bytes& piece : reply.body) text += piece.view();
  if (reply.status != 200) return internal(text);
  return text;
}

std::string GenerateCall::write(InferResponse& response) const {
  const int64_t version = response.version != 0 ? response.version : version_;
  Result<std::string> text = is_open_ ? write_open(response) : write_generate(response, model_, version, id_);
  if (text.ok()) return std::move(text).value();
  response = {};
  response.status = text.status();
  return write_generate(response, model_, version, id_).value();
}

/// Exactly one answer.
class OneAnswer final : public GenerateCall {
 public:
  using GenerateCall::GenerateCall;

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response && ++responses_ == 1) first_ = std::move(response);
    if (responses_ == 2) cancel_soon();
    if (!final) return;
    if (responses_ != 1) {
      first_ = {};
      first_.status = internal(
          "generate expects model to produce exactly 1 response, use generate stream for model that generates various "
          "number of responses");
    }
    std::string text = write(first_);
    wire::HttpReply reply = first_.status.ok() ? json_reply(200, std::move(text)) : error_reply(first_.status);
    add_route_headers(reply, routed());
    loop().post(
        [self = shared_from_this(), this, reply = std::move(reply)]() mutable { exchange().reply(std::move(reply)); });
  }

 private:
  /// What else the model would say is not wanted.
  void cancel_soon() {
    loop().post([self = shared_from_this(), this] { cancel(); });
  }

  int responses_ = 0;
  InferResponse first_;
};

/// Each answer is an event.
class EventStream final : public GenerateCall {
 public:
  EventStream(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
              RoutedRequestPtr routed)
      : GenerateCall(inference, exchange, std::move(model), std::move(routed)),
        stream_(std::make_shared<HttpStream>(std::move(exchange))) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    // What never came to a model has an error as of any other path.
    if (!response.status.ok() && response.times.compute_start == TimePoint{})
      return stream_->reply(error_reply(response.status));
    std::string event;
    if (has_response) event = "data: " + write(response) + "\n\n";
    wire::HttpReply head;
    head.status = http_status(response.status.code());  // an error that comes first gives the reply its status
    head.headers.emplace_back("Content-Type", "text/event-stream; charset=utf-8");
    head.headers.emplace_back("Cache-Control", "no-cache");
    add_route_headers(head, routed());
    stream_->send(std::move(head), {Bytes::from_string(std::move(event))}, final);
  }

 private:
  void abandoned() override { stream_->abandon(); }
  std::shared_ptr<Room> room() override { return stream_->room(); }

  const std::shared_ptr<HttpStream> stream_;
};

}  // namespace

void handle_http_generate(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                          std::string_view version, const HttpOptions& options, GenerateReply kind,
                          RoutedRequestPtr routed) {
  std::shared_ptr<GenerateCall> call;
  if (kind == GenerateReply::kOne)
    call = std::make_shared<OneAnswer>(inference, std::move(exchange), std::move(model), std::move(routed));
  else
    call = std::make_shared<EventStream>(inference, std::move(exchange), std::move(model), std::move(routed));
  call->start(version, options);
}

}  // namespace modelmill::kserve_v2
