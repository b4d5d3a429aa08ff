#pragma once

#include <algorithm>
#include <span>

#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill {

/// Drops the outputs that a client did not ask for; one that asked for none wants all.
inline void keep_requested(std::span<const RequestedOutput> requested, InferResponse& response) {
  if (requested.empty()) return;
  auto& outputs = response.outputs;
  const auto unwanted = [&](const Tensor& tensor) {
    return std::none_of(requested.begin(), requested.end(),
                        [&](const RequestedOutput& wish) { return wish.name == tensor.name; });
  };
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(), unwanted), outputs.end());
}

}  // namespace modelmill
