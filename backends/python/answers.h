#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "arena.h"
#include "frames.h"
#include "model_shape.h"
#include "modelmill/backend.hpp"
#include "region.h"

namespace modelmill::python {

/// Where a worker's answers point to.
struct AnswerMemory {
  /// The worker's regions by number; null: there is none.
  std::function<std::shared_ptr<Region>(uint32_t)> region;
  /// The execution's inputs, which may be answered with; null: it had none.
  std::shared_ptr<Arena::Block> inputs;
  /// Bytes of the worker's that are lent to answers on their way; beyond `most_lent` they are copied.
  std::shared_ptr<std::atomic<uint64_t>> lent;
  uint64_t most_lent = 0;
};

/// A tensor in shared memory that was found to lie inside of it and to be what it claims.
struct SharedTensor {
  uint16_t index = 0;
  mm_dtype dtype = MM_DTYPE_INVALID;
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;  // of strings their bytes
  uint64_t size = 0;
  std::vector<uint64_t> offsets;   // of strings, copied and checked
  std::shared_ptr<Region> region;  // that it is in; null: in the execution's inputs
};

/// Reads a TensorRecord. Throws ProtocolError when anything in it is not so.
SharedTensor read_tensor(FrameReader& reader, const AnswerMemory& memory);

/// Gives requests of an execution the answers that a kResponse holds (`body` from its ResponseRecord on), and counts in
/// `open` those that still wait for their last. `taken` is called with the number of each request whose answer was not
/// its last, once it has been taken. Outputs are lent to the answers without a copy where they are large. Throws
/// ProtocolError; then some may be without an answer.
ResponseRecord give_answers(backend::Execution& execution, FrameReader body, const ModelShape& shape,
                            const AnswerMemory& memory, uint32_t& open, const std::function<void(uint32_t)>& taken);

}  // namespace modelmill::python
