#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace modelmill {

/// A POSIX shared memory object that another process made. It is read and written by system calls and never mapped: its
/// maker may shrink or change it at any time, and through a mapping that would kill this process, or change bytes that
/// have been checked already. Thread-safe.
class SharedMemoryObject {
 public:
  /// "x" of the keys "x", "/x" and "//x", as shm_open() takes them. INVALID_ARGUMENT for what names no single file of
  /// the system's folder of shared memory.
  static Result<std::string> name_of(std::string_view key);

  /// Opens the object of that name. NOT_FOUND when there is none; PERMISSION_DENIED, RESOURCE_EXHAUSTED or
  /// INVALID_ARGUMENT (a link, a folder, a pipe) say why there is nothing to be had of it.
  static Result<SharedMemoryObject> open(const std::string& name);

  SharedMemoryObject(SharedMemoryObject&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SharedMemoryObject& operator=(SharedMemoryObject other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~SharedMemoryObject();

  /// As it is now.
  Result<uint64_t> size() const;
  /// The bytes from `offset` on. OUT_OF_RANGE when the object ends before they do.
  Status read(uint64_t offset, std::span<std::byte> into) const;
  /// The same the other way. What does not lie in the object is not written.
  Status write(uint64_t offset, std::span<const std::byte> from) const;

 private:
  explicit SharedMemoryObject(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace modelmill
