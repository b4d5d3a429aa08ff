#include "request/infer_request.h"

#include <utility>

#include "base/check.h"

namespace modelmill {

InferRequest::~InferRequest() {
  if (sink_) fail(internal("the request was dropped without an answer; this is a bug in modelmill"));
}

const Tensor* InferRequest::input(std::string_view name) const {
  for (const Tensor& tensor : inputs)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

void InferRequest::respond(InferResponse response) {
  pass_on(std::move(response));
  if (room) room->wait_for_room();
}

void InferRequest::pass_on(InferResponse response) {
  MM_CHECK(sink_, "a completed request cannot answer again");
  if (times.first_response == TimePoint{}) times.first_response = Clock::now();
  response.times = times;
  sink_->on_response(std::move(response), /*final=*/false, /*has_response=*/true);
}

void InferRequest::end(InferResponse response, bool has_response) {
  MM_CHECK(sink_, "a request completes exactly once");
  if (times.compute_start != TimePoint{} && times.compute_end == TimePoint{}) times.compute_end = Clock::now();
  if (observer) observer->on_completed(*this, response.status);
  response.times = times;
  const std::shared_ptr<ResponseSink> sink = std::move(sink_);
  sink_ = nullptr;
  sink->on_response(std::move(response), /*final=*/true, has_response);
  if (const auto release = std::exchange(release_, nullptr)) release(held_);
}

void InferRequest::complete(InferResponse response) { end(std::move(response), /*has_response=*/true); }

void InferRequest::fail(Status status) {
  InferResponse response;
  response.status = std::move(status);
  end(std::move(response), /*has_response=*/true);
}

void InferRequest::finish() { end(InferResponse{}, /*has_response=*/false); }

void InferRequest::hold(void* context, void (*release)(void*)) {
  MM_CHECK(sink_ && !release_, "a request that is not completed holds one thing");
  held_ = context;
  release_ = release;
}

std::shared_ptr<ResponseSink> InferRequest::replace_sink(std::shared_ptr<ResponseSink> sink) {
  MM_CHECK(sink_ && sink, "a completed request has no sink to replace");
  return std::exchange(sink_, std::move(sink));
}

Status no_longer_wanted(const InferRequest& request, TimePoint now) {
  const auto reason = request.cancel ? request.cancel->reason() : CancelToken::Reason::kNone;
  if (reason == CancelToken::Reason::kDeadline || request.deadline <= now)
    return deadline_exceeded("the deadline of the request to model '" + request.model + "' passed before it was run");
  if (reason != CancelToken::Reason::kNone) return cancelled("the request was cancelled by its client");
  return ok_status();
}

}  // namespace modelmill
