#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/shared_memory_object.h"
#include "tensor/tensor.h"

namespace modelmill::kserve_v2 {

/// A part of a client's shared memory object, under the name that it was registered by. Constant.
struct SharedRegion {
  std::string name;
  std::string key;
  uint64_t offset = 0;
  uint64_t size = 0;
  SharedMemoryObject object;
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
  SharedRegions(std::vector<std::string> allowed, uint64_t request_bytes);

  bool on() const { return !allowed_.empty(); }
  /// UNIMPLEMENTED where clients have no shared memory, as is everything that would change the regions.
  Status check_on() const;

  Status add(const std::string& name, const std::string& key, uint64_t offset, uint64_t size);
  /// Requests that use the region go on using it. OK when there is none of that name, as in Triton.
  Status remove(const std::string& name);
  Status remove_all();

  /// The region of that name, NOT_FOUND without one; of an empty name all.
  Result<std::vector<std::shared_ptr<const SharedRegion>>> list(const std::string& name) const;

  Result<SharedSlice> find(const std::string& name, uint64_t offset, uint64_t size) const;

  /// Whether a request that reads `before` may read `more`.
  Status check_request(uint64_t before, uint64_t more) const;

 private:
  const std::vector<std::string> allowed_;
  const uint64_t request_bytes_;
  const size_t most_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const SharedRegion>, std::less<>> regions_ MM_GUARDED_BY(mutex_);
};

/// Of CUDA's shared memory there is nothing, as in a Triton without GPUs: what those are told who would register a
/// region, or ask for one.
Status cuda_memory_refused(const SharedRegions& regions, const std::string& name);
Status cuda_region_missing(const std::string& name);

}  // namespace modelmill::kserve_v2
