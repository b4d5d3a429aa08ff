#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "dialect/kserve_v2/shared_region.h"
#include "runtime/cuda_memory.h"

namespace modelmill::kserve_v2 {

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
