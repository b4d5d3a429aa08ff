#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::python {

/// What a worker said of its model when it was ready. Immutable.
struct ModelShape {
  /// Reads a worker's kReady. Throws ProtocolError.
  static ModelShape read(const backend::Json& json);

  std::vector<backend::TensorSpec> inputs, outputs;
  bool gather = false;         // requests of a batch come as one tensor of each input
  bool wants_info = false;     // and with what the client said beside the inputs
  bool decoupled = false;      // any number of answers
  bool concurrent = false;     // a worker runs several executions at once
  bool ragged = false;         // requests of a batch may differ in their shapes
  bool shapes_unsure = false;  // answers are not held to the shapes of the outputs
  bool trials = false;         // it may be run with made-up inputs, by which the host finds out how it is batched
  bool stateful = false;       // what it answers depends on what a worker was asked before
  int64_t max_batch_size = 0;  // 0: no batch dimension
  int64_t workers = 0;         // as many as its author thinks right; 0: did not say
  uint64_t memory_limit = 0;   // bytes of a worker's own that its author allows; 0: any number
  std::string platform;        // as clients see it; empty: it has none

  /// The input's place in `inputs`; `hint` is tried first. -1: there is none.
  int input_index(std::string_view name, uint32_t hint) const;
};

}  // namespace modelmill::python
