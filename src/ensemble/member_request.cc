#include "ensemble/member_request.h"

#include <utility>

namespace modelmill {
namespace {

/// Triton's rule for tensors between models of which one has a batch dimension and the other has not.
void fit_batch(Shape& shape, const Shape& wanted, bool to_batched) {
  const bool fits = shape_matches(dims(wanted), dims(shape));
  if (to_batched && fits)
    shape.insert(shape.begin(), 1);
  else if (!to_batched && !fits && !shape.empty() && shape.front() == 1)
    shape.erase(shape.begin());
}

}  // namespace

InferRequestPtr part_of(const InferRequest& whole, std::shared_ptr<CancelToken> cancel,
                        std::shared_ptr<ResponseSink> sink) {
  auto request = std::make_unique<InferRequest>(std::move(sink));
  request->id = whole.id;
  request->parameters = whole.parameters;
  request->sequence = whole.sequence;
  request->priority = whole.priority;
  request->holds_resources = whole.holds_resources;
  request->keepable = whole.keepable;
  request->timeout = whole.timeout;
  request->deadline = whole.deadline;
  request->cancel = std::move(cancel);
  request->trace = whole.trace;
  request->times.received = Clock::now();
  return request;
}

void address_to(const EnsemblePlan::Step& step, InferRequest& request) {
  request.model = step.model;
  request.version = step.version;
  request.label = step.label;
  for (const EnsemblePlan::Port& output : step.outputs) request.outputs.push_back({output.name});
}

void add_times(const RequestTimes& times, Duration& queued, ExecutionRecord& record) {
  const auto between = [](TimePoint from, TimePoint to) {
    return from == TimePoint{} || to <= from ? Duration{} : to - from;
  };
  queued += between(times.queued, times.compute_start);
  record.input += between(times.compute_start, times.input_end);
  record.infer += between(times.input_end, times.infer_end);
  record.output += between(times.infer_end, times.compute_end);
}

Tensor fitted(Tensor tensor, const EnsemblePlan::Input& port, bool batched) {
  tensor.name = port.name;
  if (port.fits_batch) fit_batch(tensor.shape, port.dims, batched);
  return tensor;
}

}  // namespace modelmill
