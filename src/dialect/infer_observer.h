#pragma once

#include <string>

#include "base/status.h"
#include "request/infer_response.h"

namespace modelmill {

/// Is told of the inferences that came by a protocol, once their answer is there. Thread-safe.
class InferObserver {
 public:
  virtual ~InferObserver() = default;
  /// `explained`: an explanation was asked for, and no prediction.
  virtual void answered(const std::string& model, bool explained, const Status& status, const RequestTimes& times) = 0;
};

}  // namespace modelmill
