#pragma once

#include <functional>

#include "base/clock.h"
#include "base/result.h"
#include "catalog/ensemble_plan.h"
#include "catalog/model_version.h"
#include "request/infer_request.h"

namespace modelmill {

/// How ensembles reach their members, and the time. Outlives every request. Thread-safe.
class EnsembleMembers {
 public:
  virtual ~EnsembleMembers() = default;

  /// Pins the version that a step asks. An empty pin: it loads when the request comes. An error: it can't be asked.
  virtual Result<VersionPin> pin(const EnsemblePlan::Step& step) = 0;
  /// Hands a step's request over, which always completes it. `pin` is what pin() gave.
  virtual void submit(VersionPin pin, InferRequestPtr request) = 0;
  /// Requests to the step's member are not wanted any more: those that wait are answered now.
  virtual void drop_unwanted(const EnsemblePlan::Step& step) = 0;
  /// Grows when pin() begins to give other versions than before, and when it has; it is odd in between.
  virtual uint64_t changes() const = 0;
  /// Calls when the time has come, on another thread.
  virtual void call_at(TimePoint when, std::function<void()> call) = 0;
};

}  // namespace modelmill
