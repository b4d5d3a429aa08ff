#include "runtime/cuda_memory.h"

#include <dlfcn.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/library_symbol.h"

namespace modelmill {
namespace {

constexpr const char* kDriver = "libcuda.so.1";
constexpr unsigned kLazyPeerAccess = 1;  // CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS, the only flag that there is
constexpr int kNoContext = -1;

/// Stays open: runtimes of this process use it too.
CudaDriver::Library open_driver() {
  CudaDriver::Library out;
  void* const library = ::dlopen(kDriver, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return out;
  find_symbol(library, "cuInit", out.init);
  find_symbol(library, "cuDeviceGetCount", out.device_count);
  find_symbol(library, "cuDeviceGet", out.device);
  find_symbol(library, "cuDevicePrimaryCtxRetain", out.retain_context);
  find_symbol(library, "cuCtxPushCurrent_v2", out.push_context);
  find_symbol(library, "cuCtxPopCurrent_v2", out.pop_context);
  find_symbol(library, "cuIpcOpenMemHandle_v2", out.open_handle);
  find_symbol(library, "cuIpcCloseMemHandle", out.close_handle);
  find_symbol(library, "cuMemGetAddressRange_v2", out.address_range);
  find_symbol(library, "cuMemcpyDtoH_v2", out.to_host);
  find_symbol(library, "cuMemcpyHtoD_v2", out.to_device);
  find_symbol(library, "cuGetErrorName", out.error_name);
  return out;
}

}  // namespace

bool CudaDriver::Library::whole() const {
  return init != nullptr && device_count != nullptr && device != nullptr && retain_context != nullptr &&
         push_context != nullptr && pop_context != nullptr && open_handle != nullptr && close_handle != nullptr &&
         address_range != nullptr && to_host != nullptr && to_device != nullptr;
}

Result<std::shared_ptr<CudaDriver>> CudaDriver::start(const Library& library) {
  int gpus = 0;
  if (!library.whole()) return unavailable("there is no driver of CUDA's on this machine");
  if (library.init(0) != 0 || library.device_count(&gpus) != 0 || gpus < 1)
    return unavailable("CUDA's driver finds no GPU on this machine");
  return std::shared_ptr<CudaDriver>(new CudaDriver(library, gpus));
}

Result<std::shared_ptr<CudaDriver>> CudaDriver::of_machine() {
  static const auto driver = start(open_driver());
  return driver;
}

std::string CudaDriver::text_of(int error) const {
  const char* name = nullptr;
  if (error == kNoContext) return "the GPU's context can't be had";
  if (library_.error_name != nullptr && library_.error_name(error, &name) == 0 && name != nullptr) return name;
  return "error " + std::to_string(error) + " of CUDA's driver";
}

Result<void*> CudaDriver::context(int gpu) {
  const auto its = static_cast<size_t>(gpu);
  {
    const MutexLock lock(mutex_);
    if (contexts_[its] != nullptr) return contexts_[its];
  }
  // It may be made now, which takes seconds; other GPUs don't wait for it. Whoever else does the same gets the same.
  int device = 0;
  void* context = nullptr;
  if (library_.device(&device, gpu) != 0 || library_.retain_context(&context, device) != 0)
    return internal("GPU " + std::to_string(gpu) + " gives no context");
  const MutexLock lock(mutex_);
  return contexts_[its] = context;
}

int CudaDriver::in_context(int gpu, const std::function<int()>& call) {
  const Result<void*> its = context(gpu);
  if (!its.ok() || library_.push_context(*its) != 0) return kNoContext;
  const int result = call();
  void* popped = nullptr;
  library_.pop_context(&popped);
  return result;
}

Result<std::shared_ptr<const CudaMapping>> CudaDriver::open(const CudaHandle& handle, int64_t gpu, uint64_t size) {
  size_t gpus = 0;
  {
    const MutexLock lock(mutex_);
    gpus = contexts_.size();
  }
  if (gpu < 0 || gpu >= static_cast<int64_t>(gpus))
    return invalid_argument("there is no GPU " + std::to_string(gpu) + "; this machine has " + std::to_string(gpus));
  const int its = static_cast<int>(gpu);
  uint64_t address = 0;
  if (const int error = in_context(its, [&] { return library_.open_handle(&address, handle, kLazyPeerAccess); });
      error != 0)
    return invalid_argument("its handle opens nothing on GPU " + std::to_string(gpu) + ": " + text_of(error));
  auto mapping = std::make_shared<const CudaMapping>(shared_from_this(), its, address);
  uint64_t base = 0;
  size_t range = 0;
  if (const int error = in_context(its, [&] { return library_.address_range(&base, &range, address); }); error != 0)
    return internal("the size of its memory can't be had: " + text_of(error));
  const uint64_t has = base + range - address;
  if (size > has)
    return invalid_argument("its byte_size is " + std::to_string(size) + ", and its memory has " + std::to_string(has) +
                            " bytes");
  return mapping;
}

CudaMapping::CudaMapping(std::shared_ptr<CudaDriver> driver, int gpu, uint64_t address)
    : driver_(std::move(driver)), gpu_(gpu), address_(address) {}

CudaMapping::~CudaMapping() {
  driver_->in_context(gpu_, [this] { return driver_->library_.close_handle(address_); });
}

Status CudaMapping::read(uint64_t offset, std::span<std::byte> into) const {
  if (into.empty()) return ok_status();
  const int error =
      driver_->in_context(gpu_, [&] { return driver_->library_.to_host(into.data(), address_ + offset, into.size()); });
  return error == 0 ? ok_status() : internal("it can't be read: " + driver_->text_of(error));
}

Status CudaMapping::write(uint64_t offset, std::span<const std::byte> from) const {
  if (from.empty()) return ok_status();
  const int error = driver_->in_context(
      gpu_, [&] { return driver_->library_.to_device(address_ + offset, from.data(), from.size()); });
  return error == 0 ? ok_status() : internal("it can't be written: " + driver_->text_of(error));
}

}  // namespace modelmill
