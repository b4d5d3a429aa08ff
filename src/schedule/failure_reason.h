#pragma once

#include "base/status.h"
#include "catalog/version_stats.h"

namespace modelmill {

/// Why a request failed that no instance has had.
inline FailureReason reason_before_running(Code code) {
  switch (code) {
    case Code::kCancelled: return FailureReason::kClientGone;
    case Code::kDeadlineExceeded: return FailureReason::kDeadline;
    case Code::kUnavailable:
    case Code::kResourceExhausted: return FailureReason::kRejected;
    default: return FailureReason::kOther;
  }
}

/// Why one failed that was being run.
inline FailureReason reason_while_running(Code code) {
  if (code == Code::kCancelled) return FailureReason::kClientGone;
  return code == Code::kDeadlineExceeded ? FailureReason::kDeadline : FailureReason::kBackend;
}

}  // namespace modelmill
