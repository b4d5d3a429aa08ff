#include "route/route_failure.h"

namespace modelmill {

std::optional<RouteFailure> failure_of(const Status& status) {
  switch (status.code()) {
    case Code::kDeadlineExceeded: return RouteFailure::kTimeout;
    case Code::kResourceExhausted:
    case Code::kUnavailable: return RouteFailure::kOverload;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss:
    case Code::kAborted: return RouteFailure::kError;
    default: return std::nullopt;
  }
}

}  // namespace modelmill
