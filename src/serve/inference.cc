#include "serve/inference.h"

#include <utility>

#include "serve/input_check.h"

namespace modelmill {

void Inference::submit(InferRequestPtr request, const char* decoupled_refusal) {
  submit(std::move(request), decoupled_refusal, demand_ != nullptr);
}

void Inference::submit(InferRequestPtr request, const char* decoupled_refusal, bool may_wait) {
  Result<VersionPin> pinned = request->label.empty() ? catalog_.pin(request->model, request->version)
                                                     : catalog_.pin(request->model, request->label);
  if (pinned.ok()) return submit(std::move(pinned).value(), std::move(request), decoupled_refusal);
  if (may_wait && loads_on_demand(request->model)) return wait(std::move(request), decoupled_refusal);
  request->fail(pinned.status());
}

void Inference::wait(InferRequestPtr request, const char* decoupled_refusal) {
  const auto waiting = std::make_shared<InferRequestPtr>(std::move(request));
  const InferRequest& waited = **waiting;
  uint64_t bytes = 0;
  for (const Tensor& input : waited.inputs) bytes += input.byte_size();
  wait_for_model(
      {waited.model, waited.deadline, waited.cancel, bytes, [this, waiting, decoupled_refusal](const Status& status) {
         if (status.ok()) return submit(std::move(*waiting), decoupled_refusal, false);
         (*waiting)->fail(status);
       }});
}

void Inference::submit(VersionPin pin, InferRequestPtr request, const char* decoupled_refusal) {
  ModelVersion& version = *pin;
  Status status = decoupled_refusal != nullptr && version.definition().decoupled ? unimplemented(decoupled_refusal)
                                                                                 : check_inputs(version, *request);
  if (!status.ok()) {
    version.stats().request_failed(request->times, FailureReason::kOther);
    request->fail(std::move(status));
    return;
  }
  version.samples().offer(*request);
  std::move(pin).hand_to(*request);
  version.submit(std::move(request));
}

void Inference::cancelled(const std::string& model, int64_t version) {
  const Result<VersionPin> pinned = catalog_.pin(model, version);
  if (pinned.ok()) return (*pinned)->drop_unwanted();
  if (loads_on_demand(model)) demand_->expire(Clock::now());
}

}  // namespace modelmill
