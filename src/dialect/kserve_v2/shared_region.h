#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/shared_memory_object.h"
#include "runtime/cuda_memory.h"
#include "tensor/tensor.h"

namespace modelmill::kserve_v2 {

/// A part of a client's shared memory object, or memory of a GPU that a client has, under the name that it was
/// registered by. Constant.
struct SharedRegion {
  std::string name;
  std::string key;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::optional<SharedMemoryObject> object = {};   // nullopt: it is a GPU's
  std::shared_ptr<const CudaMapping> on_gpu = {};  // null: it is the system's
  int64_t gpu = 0;

  bool is_on_gpu() const { return on_gpu != nullptr; }
  Status read(uint64_t at, std::span<std::byte> into) const;
  Status write(uint64_t at, std::span<const std::byte> from) const;
};

/// Where a tensor lies in a region, which stays for as long as the slice does. Within the region's bounds; whether the
/// object still reaches so far only using it tells.
struct SharedSlice {
  std::shared_ptr<const SharedRegion> region;
  uint64_t offset = 0;  // in the region
  uint64_t size = 0;

  /// A copy of the bytes as they are now. INVALID_ARGUMENT when the object has become too small.
  Result<Bytes> read() const;
  /// Writes the bytes to the slice's beginning; there are no more than it has. As read().
  Status write(const Chunks& bytes) const;
};

}  // namespace modelmill::kserve_v2
