#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
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

/// The regions of shared memory that clients have registered, by name, with Triton's words for what is wrong.
/// Thread-safe.
class SharedRegions {
 public:
  /// Regions that there can be at once, unless so many files can't be open.
  static constexpr size_t kMost = 4096;

  /// `allowed`: what the keys that clients may name begin with, "/" for all. None: clients have no shared memory here.
  /// `request_bytes`: what one request may have read; an object can be far larger than memory without costing its maker
  /// any.
  /// `cuda`: the driver of the GPUs whose memory clients may register too, where they may name every key.
  using FindCuda = std::function<Result<std::shared_ptr<CudaDriver>>()>;
  SharedRegions(std::vector<std::string> allowed, uint64_t request_bytes, FindCuda cuda = CudaDriver::of_machine);

  bool on() const { return !allowed_.empty(); }
  /// UNIMPLEMENTED where clients have no shared memory, as is everything that would change the regions.
  Status check_on() const;

  /// Whether clients may register GPUs' memory here. Looks for a driver.
  bool cuda_on() const;

  Status add(const std::string& name, const std::string& key, uint64_t offset, uint64_t size);
  /// `handle`: the bytes of a CudaHandle.
  Status add_cuda(const std::string& name, std::string_view handle, int64_t gpu, uint64_t size);
  /// Of either kind. Requests that use the region go on using it. OK when there is none of that name, as in Triton.
  Status remove(const std::string& name, bool on_gpu = false);
  Status remove_all(bool on_gpu = false);

  /// The region of that name, NOT_FOUND without one; of an empty name all of the kind.
  Result<std::vector<std::shared_ptr<const SharedRegion>>> list(const std::string& name, bool on_gpu = false) const;

  Result<SharedSlice> find(const std::string& name, uint64_t offset, uint64_t size) const;

  /// Whether a request that reads `before` may read `more`.
  Status check_request(uint64_t before, uint64_t more) const;

 private:
  Status check_new(const std::string& name) const;
  Status insert(std::shared_ptr<const SharedRegion> region);

  const std::vector<std::string> allowed_;
  const uint64_t request_bytes_;
  const FindCuda cuda_;
  const size_t most_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const SharedRegion>, std::less<>> regions_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::kserve_v2
