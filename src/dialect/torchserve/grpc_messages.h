#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/form_fields.h"
#include "tensor/tensor.h"

namespace modelmill::torchserve {

inline constexpr const char* kNoModelName = "Parameter model_name is required.";

/// A PredictionsRequest; its fields are views on the message.
struct PredictionsRequest {
  std::string model;
  std::string version;  // empty: the default one
  std::string sequence;
  Fields fields;
};

/// INVALID_ARGUMENT for what is no such message.
Status read_predictions_request(const Bytes& message, PredictionsRequest& request);

/// A PredictionResponse; `sequence`: of a stream of requests.
Chunks response_message(Chunks prediction, std::string_view sequence = {});

/// A PredictionResponse that tells an error. `reason` is the class of an exception.
Chunks error_message(Code code, const std::string& message, const std::string& reason, const std::string& sequence);

}  // namespace modelmill::torchserve
