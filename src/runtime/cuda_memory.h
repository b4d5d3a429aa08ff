#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace modelmill {

/// By which one process finds a GPU's memory that another has: a CUipcMemHandle.
using CudaHandle = std::array<std::byte, 64>;

class CudaDriver;

/// Memory of a GPU that another process has, open here until this is destroyed. Thread-safe.
class CudaMapping {
 public:
  CudaMapping(std::shared_ptr<CudaDriver> driver, int gpu, uint64_t address);
  CudaMapping(const CudaMapping&) = delete;
  CudaMapping& operator=(const CudaMapping&) = delete;
  ~CudaMapping();

  /// Copies the bytes from `offset` on, which lie in it. INTERNAL says what the driver said.
  Status read(uint64_t offset, std::span<std::byte> into) const;
  /// The same the other way.
  Status write(uint64_t offset, std::span<const std::byte> from) const;

 private:
  const std::shared_ptr<CudaDriver> driver_;
  const int gpu_;
  const uint64_t address_;
};

/// CUDA's driver, as far as memory of other processes goes. Each GPU's primary context, which is what runtimes in this
/// process use too, is retained from the first mapping there on. Thread-safe.
class CudaDriver : public std::enable_shared_from_this<CudaDriver> {
 public:
  /// Its functions, by which alone it is spoken to. Each returns 0, or a CUresult.
  struct Library {
    int (*init)(unsigned) = nullptr;
    int (*device_count)(int*) = nullptr;
    int (*device)(int*, int) = nullptr;
    int (*retain_context)(void**, int) = nullptr;
    int (*push_context)(void*) = nullptr;
    int (*pop_context)(void**) = nullptr;
    int (*open_handle)(uint64_t*, CudaHandle, unsigned) = nullptr;
    int (*close_handle)(uint64_t) = nullptr;
    int (*address_range)(uint64_t*, size_t*, uint64_t) = nullptr;
    int (*to_host)(void*, uint64_t, size_t) = nullptr;
    int (*to_device)(uint64_t, const void*, size_t) = nullptr;
    int (*error_name)(int, const char**) = nullptr;
    bool whole() const;
  };

  /// UNAVAILABLE where there is no driver, or no GPU.
  static Result<std::shared_ptr<CudaDriver>> start(const Library& library);
  /// The machine's, which is looked for when this is called first.
  static Result<std::shared_ptr<CudaDriver>> of_machine();

  /// INVALID_ARGUMENT for a GPU that there is not, a handle that opens nothing, or memory of fewer bytes than `size`.
  Result<std::shared_ptr<const CudaMapping>> open(const CudaHandle& handle, int64_t gpu, uint64_t size);

 private:
  friend class CudaMapping;
  CudaDriver(const Library& library, int gpus) : library_(library), contexts_(static_cast<size_t>(gpus)) {}

  /// `call` with the GPU's context; its result.
  int in_context(int gpu, const std::function<int()>& call);
  Result<void*> context(int gpu);
  std::string text_of(int error) const;

  const Library library_;
  Mutex mutex_;
  std::vector<void*> contexts_ MM_GUARDED_BY(mutex_);  // by GPU; null: it is not retained
};

}  // namespace modelmill
