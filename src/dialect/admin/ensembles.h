#pragma once

#include <memory>
#include <span>
#include <string>

#include "catalog/weight_control.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::admin {

/// Answers a request under /admin/ensembles; `path` is what follows. What blocks is the offload's, or, without one
/// (null), the loop's.
///   GET                                    those whose members have weights
///   GET NAME                               the weights, and what they were learned of
///   POST NAME/feedback                     what would have been right for requests that were answered
///   POST NAME/weights                      sets them
///   POST NAME/freeze, unfreeze, reset
void handle_ensembles(WeightControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                      std::span<const std::string> path);

}  // namespace modelmill::admin
