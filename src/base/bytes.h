#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace modelmill {

/// Every block we allocate starts on this boundary: a cache line, and enough for any runtime's vector loads.
inline constexpr size_t kAlignment = 64;

/// A counted block of memory: made by us (64-byte aligned), or borrowed from someone who gave a release call.
/// The count is thread-safe; the bytes are written by one owner before they are shared.
class Memory {
 public:
  using Release = void (*)(void* context);

  /// `size` bytes, uninitialised, in one allocation with the header. `size` may be 0.
  static class MemoryRef allocate(size_t size);
  /// Wraps foreign memory; `release(context)` is called once, from whichever thread drops the last reference.
  static class MemoryRef adopt(void* data, size_t size, Release release, void* context);

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  /// In one piece with this header; else somebody lent it, who may be waiting for it.
  bool is_ours() const { return release_ == nullptr; }

  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

 private:
  friend class MemoryRef;
  Memory(std::byte* data, size_t size, Release release, void* context)
      : data_(data), size_(size), release_(release), context_(context) {}
  void drop();

  std::atomic<uint32_t> count_{1};
  std::byte* data_;
  size_t size_;
  Release release_;  // null: ours, freed with the header
  void* context_;
};

/// A counted reference to a Memory, or none.
class MemoryRef {
 public:
  MemoryRef() = default;
  MemoryRef(const MemoryRef& other) : memory_(other.memory_) {
    if (memory_) memory_->count_.fetch_add(1, std::memory_order_relaxed);
  }
  MemoryRef(MemoryRef&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  MemoryRef& operator=(MemoryRef other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~MemoryRef() {
    if (memory_ && memory_->count_.fetch_sub(1, std::memory_order_acq_rel) == 1) memory_->drop();
  }

  Memory* get() const { return memory_; }
  Memory* operator->() const { return memory_; }
  Memory& operator*() const { return *memory_; }
  explicit operator bool() const { return memory_ != nullptr; }

 private:
  friend class Memory;
  explicit MemoryRef(Memory* adopted) : memory_(adopted) {}
  Memory* memory_ = nullptr;
};

/// A read-only span of bytes and a share in the memory that holds it. An owner-less Bytes views memory that outlives
/// it.
class Bytes {
 public:
  Bytes() = default;
  /// All of `memory`.
  explicit Bytes(MemoryRef memory)
      : data_(memory ? memory->data() : nullptr), size_(memory ? memory->size() : 0), memory_(std::move(memory)) {}
  Bytes(MemoryRef memory, const std::byte* data, size_t size) : data_(data), size_(size), memory_(std::move(memory)) {}

  /// A copy of `text` in memory of its own.
  static Bytes copy_of(std::string_view text);
  /// Views memory that outlives every use (a literal, a static).
  static Bytes unowned(std::string_view text) {
    return Bytes({}, reinterpret_cast<const std::byte*>(text.data()), text.size());
  }
  /// Takes the string over without copying its characters.
  static Bytes from_string(std::string text);

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  /// [offset, offset+length) of these bytes, sharing the owner. The caller has checked the range.
  Bytes slice(size_t offset, size_t length) const { return Bytes(memory_, data_ + offset, length); }
  const MemoryRef& memory() const { return memory_; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  MemoryRef memory_;
};

}  // namespace modelmill
