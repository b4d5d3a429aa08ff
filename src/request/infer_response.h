#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "request/batch_cut.h"
#include "request/parameters.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Where a request's time went, and in what company; kNever-free: a default TimePoint means "did not happen".
struct RequestTimes {
  TimePoint received{};        // the request was complete and parsed
  TimePoint queued{};          // admitted
  TimePoint compute_start{};   // its batch was handed to an instance
  TimePoint input_end{};       // the runtime's inputs were ready
  TimePoint infer_end{};       // the runtime had answered
  TimePoint compute_end{};     // the outputs were ready
  TimePoint first_response{};  // of several; not set where the first is the last
  BatchCut batch;              // its own, or the first of those that its parts ran in; known once it has completed
};

/// One answer to an InferRequest: outputs, or the error that took their place.
struct InferResponse {
  Status status;
  boost::container::small_vector<Tensor, 2> outputs;
  Parameters parameters;
  /// The version that served, 0 when none was reached.
  int64_t version = 0;
  RequestTimes times;
};

}  // namespace modelmill
