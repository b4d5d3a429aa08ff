#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/open_answer.h"
#include "request/infer_request.h"
#include "serve/routed_request.h"

namespace modelmill::kserve_v2 {

/// Whether the request may come to a model with an open signature: it is one's, or is not loaded, or is to go along a
/// route, which may lead to another one. Such a request has the parameter kOpenRequest; models of other signatures
/// don't get to see it.
bool may_ask_open_model(const Catalog& catalog, const InferRequest& request, const RoutedRequestPtr& routed);

/// What goes with the answer of such a model in a gRPC message. Holds what the head that it makes points to.
class OpenHead {
 public:
  /// Takes what the model's code said out of the answer's parameters, and puts those of the answer in their place.
  explicit OpenHead(InferResponse& response);

  /// `head` with it; lives as long as both.
  ResponseHead with(ResponseHead head) const;
  /// What MLServer sends as trailing metadata.
  std::vector<std::pair<std::string, std::string>> headers() const {
    return answer_ ? answer_->headers : std::vector<std::pair<std::string, std::string>>();
  }

 private:
  std::optional<OpenAnswer> answer_;
  std::vector<Parameters> outputs_;
};

}  // namespace modelmill::kserve_v2
