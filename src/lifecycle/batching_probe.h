#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "lifecycle/direct_run.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/sample_inputs.h"

namespace modelmill {

/// Why the rows of a model can't be put into one batch as far as its declaration tells, as a sentence for people; empty
/// when every input and output begins with a dimension of any size and one name. A backend that computes rows
/// independently by construction needs no names. Pure.
std::string why_unbatchable(const Signature& signature, const BackendModelInfo& info);

/// Why `batched` is not the answer that `alone` was; empty when they agree. Integers, booleans and strings must be
/// equal, floats close (1e-4 of the value and 1e-5 of the tensor's largest; wider for 16-bit types); NaN equals NaN.
/// Pure.
std::string difference(const TensorList& alone, const TensorList& batched);

/// Runs requests as one execution, one result for each.
using BatchRunner = std::function<std::vector<Result<TensorList>>(const std::vector<DirectRequest>&)>;

/// What trying a model out showed.
struct ProbeReport {
  /// Empty when rows together gave what they gave alone; else why not, as a sentence for people.
  std::string disagreement;
  /// Size that the dimensions of any size had in the runs that worked; nullopt when no run did.
  std::optional<int64_t> open_size;
  /// Inputs and outputs of one row.
  int64_t row_bytes = 0;
};

/// Runs different random rows alone and together and compares. Deterministic for a deterministic model.
ProbeReport probe_batching(const Signature& signature, const BatchRunner& run);

/// Whether a model's rows can run together, and how many of them: by what its signature and its backend say, and by a
/// probe where that is not enough. `reshaped`: its configuration reshapes whole tensors, batch dimension included.
BatchingDecision try_batching(const Signature& signature, const BackendModelInfo& info, bool reshaped,
                              const BatchRunner& run);

/// The open size with which one request of one row works, or nullopt: for the warm-up of models that are not probed.
std::optional<int64_t> find_working_size(const Signature& signature, bool batched, const BatchRunner& run);

}  // namespace modelmill
