#include "dialect/grpc_infer_call.h"

#include <climits>
#include <string>
#include <utility>

#include "dialect/large_work.h"
#include "dialect/route_facts.h"
#include "dialect/server_timing.h"

namespace modelmill {

void GrpcInferCall::half_close() {
  if (received_) return;
  const std::string_view method = call_->method();
  call_->finish(
      internal("the " + std::string(method.substr(method.rfind('/') + 1)) + " call ended without a request message"));
}

void GrpcInferCall::cancel(const Status& reason) {
  cancel_.cancel(reason.code() == Code::kDeadlineExceeded ? CancelToken::Reason::kDeadline
                                                          : CancelToken::Reason::kClientGone);
  if (submitted_) abandoned();
}

void GrpcInferCall::end() {
  if (std::exchange(received_, true)) return;
  request_ = std::make_unique<InferRequest>(shared_from_this());
  Status status = scanned();
  if (status.ok() && offload_ != nullptr && unparsed_bytes() > kLoopBytes) {
    status = run_apart(&GrpcInferCall::parse_and_fetch);
    if (status.ok()) return;
  } else if (status.ok()) {
    status = parse(*request_);
    if (status.ok() && offload_ != nullptr && fetched_bytes() > kLoopBytes) {
      status = run_apart(&GrpcInferCall::fetch_parsed);
      if (status.ok()) return;
    } else if (status.ok()) {
      status = within_memory([this] { return fetch_parsed(); });
    }
  }
  parsed(status);
}

Status GrpcInferCall::parse_and_fetch() {
  MM_RETURN_IF_ERROR(parse(*request_));
  return fetch(*request_);
}

/// Has the offload take a step of reading the request; OK when it will, and the loop then goes on with its outcome.
Status GrpcInferCall::run_apart(Status (GrpcInferCall::*step)()) {
  return run_large(*offload_, [self = shared_from_this(), step] {
    self->call_->loop().post(
        [self, done = within_memory([&] { return (self.get()->*step)(); })] { self->parsed(done); });
  });
}

void GrpcInferCall::parsed(const Status& status) {
  submitted_ = true;
  InferRequestPtr request = std::move(request_);
  request->times.received = Clock::now();
  request->deadline = call_->deadline();
  request->trace = call_->trace();
  request->cancel = std::shared_ptr<CancelToken>(shared_from_this(), &cancel_);
  if (!status.ok()) return request->fail(status);
  submit(std::move(request));
}

const RoutedRequestPtr& GrpcInferCall::find_route(std::string_view model) {
  routed_ = inference_.route(model, facts_of(*call_));
  return routed_;
}

void GrpcInferCall::on_response(InferResponse response, bool final, bool has_response) {
  if (has_response && ++responses_ == 1) response_ = std::move(response);
  if (!final) return;
  response_.status = encode_answer();
  if (!response_.status.ok()) response_.status = refusal(response_);
  wire::Loop& loop = call_->loop();
  if (loop.on_thread()) {
    deliver();
  } else {
    loop.post([self = shared_from_this()] { self->deliver(); });
  }
}

Status GrpcInferCall::encode_answer() {
  if (responses_ != 1) return internal("expected a single response, got " + std::to_string(responses_));
  MM_RETURN_IF_ERROR(response_.status);
  MM_ASSIGN_OR_RETURN(message_.bytes, encode(response_));
  response_.outputs.clear();
  size_t size = 0;
  for (const Bytes& chunk : message_.bytes) size += chunk.size();
  if (size > INT_MAX) {
    return invalid_argument("Response has byte size " + std::to_string(size) +
                            " which exceeds gRPC's byte size limit " + std::to_string(INT_MAX) +
                            "; ask for fewer outputs or rows, or use HTTP with binary data");
  }
  call_->pack(message_);
  return ok_status();
}

void GrpcInferCall::deliver() {
  answered(response_.status);
  add_route_headers(*call_, routed_);
  if (timed_) trailers_.emplace_back("server-timing", server_timing(response_.times, Clock::now()));
  if (response_.status.ok() && trailers_.empty()) return call_->reply_packed(std::move(message_));
  if (response_.status.ok()) call_->send_packed(std::move(message_));
  call_->finish(response_.status, trailers_);
}

}  // namespace modelmill
