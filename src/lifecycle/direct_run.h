#pragma once

#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// The inputs of one request, in the model's order, or the outputs of one answer.
using TensorList = std::vector<Tensor>;

/// One request of a direct run.
struct DirectRequest {
  TensorList inputs;
  int64_t rows = 1;
};

/// Runs the requests as one execution of an instance that nobody else uses yet, and waits for the answers: how a model
/// is tried out and warmed up before it is published. One result for each request, in their order.
std::vector<Result<TensorList>> run_directly(BackendInstance& instance, const std::string& model, int64_t version,
                                             const std::vector<DirectRequest>& requests);

}  // namespace modelmill
