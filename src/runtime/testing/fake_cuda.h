#pragma once

#include <algorithm>
#include <cstring>

#include "runtime/cuda_memory.h"

namespace modelmill::testing {

/// A machine with two GPUs, and one piece of memory of another process. There is one at a time.
class FakeCuda {
 public:
  FakeCuda() { state() = State(); }

  static CudaDriver::Library library() {
    CudaDriver::Library out;
    out.init = [](unsigned) { return 0; };
    out.device_count = [](int* count) { return *count = 2, 0; };
    out.device = [](int* device, int index) { return *device = index, 0; };
    out.retain_context = [](void** context, int) { return *context = &state(), 0; };
    out.push_context = [](void*) { return ++state().depth, 0; };
    out.pop_context = [](void** context) { return *context = nullptr, --state().depth, 0; };
    out.open_handle = [](uint64_t* address, CudaHandle handle, unsigned) {
      if (handle != made_handle() || state().depth == 0) return kError;
      ++state().open;
      return *address = reinterpret_cast<uint64_t>(state().memory.data()), 0;
    };
    out.close_handle = [](uint64_t) { return --state().open, 0; };
    out.address_range = [](uint64_t* base, size_t* size, uint64_t address) {
      return *base = address, *size = state().memory.size(), 0;
    };
    out.to_host = [](void* to, uint64_t from, size_t size) {
      if (state().broken || state().depth == 0) return kError;
      return std::memcpy(to, reinterpret_cast<const void*>(from), size), 0;
    };
    out.to_device = [](uint64_t to, const void* from, size_t size) {
      if (state().broken || state().depth == 0) return kError;
      return std::memcpy(reinterpret_cast<void*>(to), from, size), 0;
    };
    out.error_name = [](int, const char** name) { return *name = "FAKE_ERROR", 0; };
    return out;
  }

  CudaHandle handle() const { return made_handle(); }
  std::array<std::byte, 16>& memory() { return state().memory; }
  int open_count() const { return state().open; }
  int context_depth() const { return state().depth; }
  void break_copies() { state().broken = true; }

 private:
  static constexpr int kError = 999;

  struct State {
    std::array<std::byte, 16> memory{};
    int open = 0;
    int depth = 0;
    bool broken = false;
  };
  static State& state() {
    static State made;
    return made;
  }
  static CudaHandle made_handle() {
    CudaHandle handle{};
    std::fill(handle.begin(), handle.end(), std::byte{0x2a});
    return handle;
  }
};

}  // namespace modelmill::testing
