#include "request/infer_request.h"

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
  MM_CHECK(sink_, "a completed request cannot answer again");
  response.times = times;
  sink_->on_response(std::move(response), /*final=*/false, /*has_response=*/true);
}

void InferRequest::complete(InferResponse response) {
  MM_CHECK(sink_, "a request completes exactly once");
  response.times = times;
  auto sink = std::move(sink_);
  sink_ = nullptr;
  sink->on_response(std::move(response), /*final=*/true, /*has_response=*/true);
}

void InferRequest::fail(Status status) {
  InferResponse response;
  response.status = std::move(status);
  complete(std::move(response));
}

void InferRequest::finish() {
  MM_CHECK(sink_, "a request completes exactly once");
  InferResponse response;
  response.times = times;
  auto sink = std::move(sink_);
  sink_ = nullptr;
  sink->on_response(std::move(response), /*final=*/true, /*has_response=*/false);
}

}  // namespace modelmill
