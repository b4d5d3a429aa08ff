#pragma once

#include <memory>
#include <string>

#include "arena.h"
#include "model_shape.h"
#include "modelmill/backend.hpp"

namespace modelmill::python {

/// Bytes of JSON that what clients said beside their tensors may have in an execution; a frame has 4 GiB.
inline constexpr size_t kMostInfo = size_t{1} << 30;

/// An execution as it goes to a worker.
struct ExecuteFrame {
  std::string frame;
  std::shared_ptr<Arena::Block> inputs;  // null without inputs
  bool gathered = false;
};

/// Copies the inputs, once, into memory of `arena`. They go as one tensor for all requests where the model wants it so
/// and they fit together. Throws, also where clients said too much.
ExecuteFrame make_execute_frame(uint64_t id, const backend::Execution& execution, const ModelShape& shape, Arena& arena,
                                size_t most_info = kMostInfo);

}  // namespace modelmill::python
