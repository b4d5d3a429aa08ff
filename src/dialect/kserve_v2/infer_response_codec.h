#pragma once

#include <span>
#include <string_view>

#include "request/infer_response.h"
#include "tensor/tensor.h"

namespace modelmill::kserve_v2 {

/// What stands at the head of a ModelInferResponse beside the model's outputs.
struct ResponseHead {
  std::string_view model;
  int64_t version = 0;  // 0: none is written
  std::string_view id;
  /// In the place of the number; empty: the number.
  std::string_view version_text = {};
  /// Of each output, in their order; fewer: the others have none.
  std::span<const Parameters> outputs = {};
};

/// `response` as a serialised ModelInferResponse with raw_output_contents: the tensors' own chunks between pieces of
/// one small memory, or all in one piece when it is small.
Chunks encode_infer_response(const InferResponse& response, const ResponseHead& head);

/// The same inside a ModelStreamInferResponse; `error` is its error_message, and with one the response should be empty.
Chunks encode_stream_response(const InferResponse& response, const ResponseHead& head, std::string_view error);

}  // namespace modelmill::kserve_v2
