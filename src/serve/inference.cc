#include "serve/inference.h"

#include <utility>

#include "serve/input_check.h"

namespace modelmill {

void Inference::submit(InferRequestPtr request, const char* decoupled_refusal) {
  Result<VersionPin> pinned = catalog_.pin(request->model, request->version);
  if (!pinned.ok()) {
    request->fail(pinned.status());
    return;
  }
  VersionPin pin = std::move(pinned).value();
  ModelVersion& version = *pin;
  Status status = decoupled_refusal != nullptr && version.definition().decoupled ? unimplemented(decoupled_refusal)
                                                                                 : check_inputs(version, *request);
  if (!status.ok()) {
    version.stats().request_failed(request->times, FailureReason::kOther);
    request->fail(std::move(status));
    return;
  }
  std::move(pin).hand_to(*request);
  version.submit(std::move(request));
}

void Inference::cancelled(const std::string& model, int64_t version) {
  const Result<VersionPin> pinned = catalog_.pin(model, version);
  if (pinned.ok()) (*pinned)->drop_unwanted();
}

}  // namespace modelmill
