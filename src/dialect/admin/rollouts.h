#pragma once

#include <memory>
#include <span>
#include <string>

#include "catalog/rollout_control.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::admin {

/// Answers a request under /admin/rollouts; `path` is what follows. What blocks is the offload's, or, without one
/// (null), the loop's.
///   GET                                     the last rollout of every name
///   GET, POST NAME                          that of one; POST's body says what is to begin
///   GET NAME/history                        the decisions, newest first
///   POST NAME/pause, resume, abort, promote
void handle_rollouts(RolloutControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                     std::span<const std::string> path);

}  // namespace modelmill::admin
