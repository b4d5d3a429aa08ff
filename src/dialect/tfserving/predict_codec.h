#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dialect/tfserving/predict_scanner.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::tfserving {

/// Puts a scanned request's tensors and output filter into `request`; elements that lie as the scanner put them are
/// moved, not copied. INVALID_ARGUMENT names the tensor that can't be read.
Status read_predict_request(PredictScanner& scanned, InferRequest& request);

/// What a message says of whom it asks, or who answered.
struct PredictSpec {
  std::string_view model;
  int64_t version = 0;
  std::string_view signature;
};

/// A serialised ModelSpec.
std::string model_spec(const PredictSpec& spec);

/// A serialised PredictRequest that asks what `request` asks.
std::string write_predict_request(const InferRequest& request, const PredictSpec& spec);

/// A serialised PredictResponse. As TensorFlow Serving does it, elements are typed values, whose fields clients read;
/// those of floating point and booleans are the response's own memory.
Chunks write_predict_response(const InferResponse& response, const PredictSpec& spec);

}  // namespace modelmill::tfserving
