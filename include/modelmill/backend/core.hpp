// Part of modelmill/backend.hpp: errors, memory, values.
#ifndef MODELMILL_BACKEND_CORE_HPP_
#define MODELMILL_BACKEND_CORE_HPP_

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../backend.h"

namespace modelmill::backend {

inline constexpr uint32_t kMaxRank = 32;
inline constexpr size_t kAlignment = 64;

/// The host's table. Hidden, so that every plugin has its own even where a linker would merge inline variables.
__attribute__((visibility("hidden"))) inline const mm_host* host = nullptr;

/// Something that went wrong, with the code that the client will see. Thrown by this layer and by backends; caught at
/// the wall.
class Error : public std::runtime_error {
 public:
  Error(mm_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  mm_code code() const { return code_; }

 private:
  mm_code code_;
};

/// Throws what a host function returned, if it is an error.
inline void check(mm_error* error) {
  if (error == nullptr) return;
  Error thrown(host->error_code(error), host->error_message(error));
  host->error_free(error);
  throw thrown;
}

/// The error that stands for the exception being handled. Call it in a catch block only.
inline mm_error* current_error() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return host->error_new(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return host->error_new(MM_RESOURCE_EXHAUSTED, "out of memory");
  } catch (const std::exception& e) {
    return host->error_new(MM_INTERNAL, e.what());
  } catch (...) {
    return host->error_new(MM_INTERNAL, "an exception of unknown type");
  }
}

/// Runs `body`; what it throws becomes an error of the ABI.
template <typename F>
mm_error* guard(F&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (...) {
    return current_error();
  }
}

inline void log(const mm_host_model* model, mm_log_level level, const std::string& message) {
  if (host->log_enabled(level)) host->log(model, level, message.c_str());
}

/// Bytes of one element; 0 for MM_STRING.
inline size_t element_size(mm_dtype dtype) {
  switch (dtype) {
    case MM_BOOL:
    case MM_UINT8:
    case MM_INT8: return 1;
    case MM_UINT16:
    case MM_INT16:
    case MM_FP16:
    case MM_BF16: return 2;
    case MM_UINT32:
    case MM_INT32:
    case MM_FP32: return 4;
    case MM_UINT64:
    case MM_INT64:
    case MM_FP64: return 8;
    default: return 0;
  }
}

/// The type's name in a model configuration without "TYPE_": "FP32", "STRING".
inline const char* dtype_name(mm_dtype dtype) {
  static constexpr const char* kNames[] = {"INVALID", "BOOL",  "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16",
                                           "INT32",   "INT64", "FP16",  "FP32",   "FP64",   "STRING", "BF16"};
  return dtype >= 0 && dtype <= MM_BF16 ? kNames[dtype] : "INVALID";
}

/// The inverse; also takes "TYPE_FP32" and "BYTES". MM_DTYPE_INVALID for any other text.
inline mm_dtype parse_dtype(std::string_view name) {
  if (name.starts_with("TYPE_")) name.remove_prefix(5);
  if (name == "BYTES") return MM_STRING;
  for (int i = MM_BOOL; i <= MM_BF16; ++i)
    if (name == dtype_name(static_cast<mm_dtype>(i))) return static_cast<mm_dtype>(i);
  return MM_DTYPE_INVALID;
}

/// The product of the sizes; all must be known.
inline uint64_t element_count(std::span<const int64_t> shape) {
  uint64_t count = 1;
  for (int64_t size : shape) count *= static_cast<uint64_t>(size);
  return count;
}

/// "[1,3,-1]".
inline std::string shape_text(std::span<const int64_t> shape) {
  std::string out = "[";
  for (int64_t size : shape) out += (out.size() > 1 ? "," : "") + std::to_string(size);
  return out + "]";
}

/// Memory that grows and is used again and again; 64-byte aligned; what it held is lost when it grows.
class Buffer {
 public:
  /// At least `size` bytes, valid until the next call.
  std::byte* reserve(uint64_t size) {
    if (size <= capacity_ && memory_) return memory_.get();
    const uint64_t rounded = (size + kAlignment) / kAlignment * kAlignment;
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
    capacity_ = memory_ ? rounded : 0;
    if (!memory_) throw std::bad_alloc();
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  uint64_t capacity_ = 0;
};

/// A share in whatever keeps lent memory alive; the last one to go destroys it, on any thread. What it holds must not
/// need the model, which may be unloaded by then.
class Owner {
 public:
  Owner() = default;
  /// Keeps `value` (a vector, a smart pointer, ...) alive.
  template <typename T>
  static Owner of(T value) {
    Owner out;
    out.held_ = new Holder<T>(std::move(value));
    return out;
  }
  Owner(const Owner& other) : held_(other.held_) {
    if (held_) held_->count.fetch_add(1, std::memory_order_relaxed);
  }
  Owner(Owner&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Owner& operator=(Owner other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Owner() { release(held_); }

  /// Gives one share away as the context of an mm_release_fn, which is Owner::release.
  void* lend() const {
    if (held_) held_->count.fetch_add(1, std::memory_order_relaxed);
    return held_;
  }
  static void release(void* context) {
    auto* held = static_cast<Held*>(context);
    if (held && held->count.fetch_sub(1, std::memory_order_acq_rel) == 1) delete held;
  }

 private:
  struct Held {
    virtual ~Held() = default;
    std::atomic<uint32_t> count{1};
  };
  template <typename T>
  struct Holder final : Held {
    explicit Holder(T v) : value(std::move(v)) {}
    T value;
  };
  Held* held_ = nullptr;
};

}  // namespace modelmill::backend

#endif  // MODELMILL_BACKEND_CORE_HPP_
