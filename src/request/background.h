#pragma once

#include <cstdint>
#include <limits>

#include "request/infer_request.h"

namespace modelmill {

/// The priority of a request that gives way to all others: it waits behind them, never runs with them, is the first to
/// be refused. What is made of such a request, as those to an ensemble's members are, has it too. Not for clients.
inline constexpr uint64_t kBackgroundPriority = std::numeric_limits<uint64_t>::max();

inline bool is_background(const InferRequest& request) { return request.priority == kBackgroundPriority; }

}  // namespace modelmill
