#include "dialect/http_infer_call.h"

#include <utility>

#include "dialect/header_forwarding.h"
#include "dialect/http_router.h"
#include "dialect/infer_observer.h"
#include "dialect/large_work.h"
#include "dialect/route_facts.h"
#include "dialect/server_timing.h"
#include "wire/deadline_list.h"

namespace modelmill {

/// The time that a request may take. In the loop's list until the answer is there or the client has gone.
class HttpInferCall::Limit final : public wire::DeadlineEntry {
 public:
  Limit(HttpInferCall& call, Duration time) : call_(call), time_(time) {}
  Duration time() const { return time_; }

 private:
  void on_deadline() override { call_.time_is_over(); }

  HttpInferCall& call_;
  const Duration time_;
};

HttpInferCall::HttpInferCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model)
    : inference_(inference), exchange_(std::move(exchange)), model_(std::move(model)) {}

HttpInferCall::~HttpInferCall() = default;

void HttpInferCall::set_limit(Duration time) {
  if (time <= Duration{}) return;
  const TimePoint until = Clock::now() + time;
  request_->deadline = until;
  limit_ = std::make_unique<Limit>(*this, time);
  exchange_->loop().deadlines().add(*limit_, until);
}

void HttpInferCall::time_is_over() {
  const auto self = shared_from_this();
  if (settled_.exchange(true)) return;  // its answer is being written, and counted
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_->time()).count();
  const Status status(Code::kDeadlineExceeded,
                      "the inference by model '" + model_ + "' has taken more than " + std::to_string(ms) +
                          " ms, the limit of this server's REST API; ask for less, or raise the limit");
  if (observer_) observer_->answered(served_model(), explains(), status, RequestTimes());
  timed_out(status);
  cancel_.cancel(CancelToken::Reason::kDeadline);  // before the client hears of it
  exchange_->reply(error_reply(status));
  inference_.cancelled(routed_, model_, version_);
}

void HttpInferCall::send(wire::HttpReply reply) {
  if (limit_) exchange_->loop().deadlines().remove(*limit_);
  exchange_->reply(std::move(reply));
}

void HttpInferCall::start(Result<VersionPin> pin, const HttpOptions& options, RoutedRequestPtr routed) {
  routed_ = std::move(routed);
  timed_ = options.server_timing || asks_timing(http());
  offload_ = options.offload;
  observer_ = options.observer;
  forwarding_ = options.forwarding;
  encoding_ = choose_encoding(http().header("accept-encoding"));
  exchange_->on_abandoned([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->abandon();
  });
  request_ = std::make_unique<InferRequest>(shared_from_this());
  request_->model = model_;
  request_->trace = http().trace;
  request_->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  set_limit(options.timeout);
  if (!pin.ok()) {
    InferRequestPtr request = std::move(request_);
    return routed_ ? routed_->answer_without(std::move(request), pin.status()) : request->fail(pin.status());
  }
  pin_ = std::move(pin).value();
  version_ = pin_->version();
  request_->version = version_;
  std::optional<Result<Bytes>> body = reads_body() ? decode_on_loop(http(), options) : Bytes();
  const bool large = !body || (body->ok() && parsed_bytes(**body) > kLoopBytes);
  if (!large || offload_ == nullptr) return read(std::move(body), options.inflate);
  const Status status = run_large(*offload_, [self = shared_from_this(), body = std::move(body),
                                              limit = options.inflate] { self->read(body, limit); });
  if (!status.ok()) std::exchange(request_, nullptr)->fail(status);
}

void HttpInferCall::abandon() {
  if (limit_) exchange_->loop().deadlines().remove(*limit_);
  cancel_.cancel(CancelToken::Reason::kClientGone);
  inference_.cancelled(routed_, model_, version_);
  abandoned();
}

void HttpInferCall::read(std::optional<Result<Bytes>> body, const InflateLimit& limit) {
  Status status = within_memory([&]() -> Status {
    if (!body) body = decode_body(http().body, http().header("content-encoding"), limit);
    MM_RETURN_IF_ERROR(body->status());
    return parse(**body, *pin_, *request_);
  });
  const auto fetch = [this] { return within_memory([this] { return this->fetch(*request_); }); };
  if (status.ok() && fetched_bytes() > kLoopBytes && offload_ != nullptr && exchange_->loop().on_thread()) {
    status = run_large(*offload_, [self = shared_from_this(), fetch] { self->submit(fetch()); });
    if (status.ok()) return;
  } else if (status.ok()) {
    status = fetch();
  }
  submit(std::move(status));
}

void HttpInferCall::submit(Status status) {
  InferRequestPtr request = std::move(request_);
  request->times.received = Clock::now();
  if (status.ok() && request->cancelled()) status = cancelled("the client has gone away");
  if (!status.ok()) return request->fail(std::move(status));
  inference_.submit(std::move(pin_), std::move(request), many_answers(), routed_);
}

void HttpInferCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  if (exchange_->loop().on_thread() && offload_ != nullptr && written_bytes(response_) > kLoopBytes &&
      offload_->run([self = shared_from_this()] { self->answer(); })) {
    return;
  }
  answer();
}

Status HttpInferCall::forward_headers(InferRequest& request) const {
  return forwarding_ ? forwarding_->apply(http().headers, request, http().sent_names) : ok_status();
}

size_t HttpInferCall::written_bytes(const InferResponse& response) const {
  size_t bytes = 0;
  for (const Tensor& tensor : response.outputs) bytes += tensor.byte_size();
  return bytes;
}

const char* HttpInferCall::many_answers() const {
  return "this model gives any number of answers to a request; ask it by gRPC ModelStreamInfer or by POST "
         "/v2/models/MODEL/generate_stream";
}

void HttpInferCall::answer() {
  if (settled_.exchange(true)) return;  // its client was told that it took too long
  wire::HttpReply reply = make_reply();
  wire::Loop& loop = exchange_->loop();
  if (loop.on_thread()) {
    send(std::move(reply));
  } else {
    loop.post([self = shared_from_this(), reply = std::move(reply)]() mutable { self->send(std::move(reply)); });
  }
}

wire::HttpReply HttpInferCall::make_reply() {
  if (responses_ != 1) response_.status = internal("expected a single response, got " + std::to_string(responses_));
  const RequestTimes times = response_.times;
  if (observer_) observer_->answered(served_model(), explains(), response_.status, times);
  wire::HttpReply reply = write(std::move(response_));
  compress_reply(reply, encoding_);
  add_route_headers(reply, routed_);
  if (timed_) reply.headers.emplace_back("Server-Timing", server_timing(times, Clock::now()));
  return reply;
}

}  // namespace modelmill
