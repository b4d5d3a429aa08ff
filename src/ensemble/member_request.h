#pragma once

#include <memory>

#include "catalog/ensemble_plan.h"
#include "catalog/version_stats.h"
#include "request/infer_request.h"

namespace modelmill {

/// A request that is a part of `whole`: all that its client said of it but the inputs, the outputs and whom to ask.
InferRequestPtr part_of(const InferRequest& whole, std::shared_ptr<CancelToken> cancel,
                        std::shared_ptr<ResponseSink> sink);

/// Whom a step asks, and for which outputs.
void address_to(const EnsemblePlan::Step& step, InferRequest& request);

/// Adds what a member's answer took to what its ensemble tells: the time that it waited, and its computing by phases.
void add_times(const RequestTimes& times, Duration& queued, ExecutionRecord& record);

/// The tensor as the member's input, or the ensemble's output, `port`.
Tensor fitted(Tensor tensor, const EnsemblePlan::Input& port, bool batched);

}  // namespace modelmill
