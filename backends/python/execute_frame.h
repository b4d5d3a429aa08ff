#pragma once

#include <memory>
#include <string>

#include "arena.h"
#include "model_shape.h"
#include "modelmill/backend.hpp"

namespace modelmill::python {

/// An execution as it goes to a worker.
struct ExecuteFrame {
  std::string frame;
  std::shared_ptr<Arena::Block> inputs;  // null without inputs
  bool gathered = false;
};

/// Copies the inputs, once, into memory of `arena`. They go as one tensor for all requests where the model wants it so
/// and they fit together. Throws.
ExecuteFrame make_execute_frame(uint64_t id, const backend::Execution& execution, const ModelShape& shape,
                                Arena& arena);

}  // namespace modelmill::python
