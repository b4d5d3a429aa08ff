#pragma once

#include <memory>
#include <span>
#include <string>

#include "catalog/experiment_control.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::admin {

/// Answers a request under /admin/experiments; `path` is what follows. What blocks is the offload's, or, without one
/// (null), the loop's.
///   GET                       the last experiment of every name
///   GET, POST NAME            that of one; POST's body says what is to begin
///   POST NAME/outcomes        what users did
///   POST NAME/deploy, stop    ends it
void handle_experiments(ExperimentControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                        std::span<const std::string> path);

}  // namespace modelmill::admin
