#include "dialect/kserve_v2/open_call.h"

namespace modelmill::kserve_v2 {

bool may_ask_open_model(const Catalog& catalog, const InferRequest& request, const RoutedRequestPtr& routed) {
  if (!catalog.may_have_open()) return false;
  if (routed) return true;
  const Result<VersionPin> pin = catalog.pin(request.model, request.version, request.label);
  return !pin.ok() || (*pin)->signature().open;
}

OpenHead::OpenHead(InferResponse& response) : answer_(OpenAnswer::take(response)) {
  if (!answer_) return;
  response.parameters = plain_parameters(answer_->parameters);
  for (const OpenAnswer::Members& members : answer_->outputs) outputs_.push_back(plain_parameters(members));
}

ResponseHead OpenHead::with(ResponseHead head) const {
  if (!answer_) return head;
  if (!answer_->id.empty()) head.id = answer_->id;
  head.version_text = answer_->version;
  head.outputs = outputs_;
  return head;
}

}  // namespace modelmill::kserve_v2
