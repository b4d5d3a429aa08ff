#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "unique_fd.h"

namespace modelmill::python {

/// A piece of memory that the server and a worker both have mapped: an anonymous file, sealed so that neither can make
/// it shorter, for reading beyond its end would end the process. What is in it may change at any moment, so whatever
/// decides something is copied out before it is looked at. Thread-safe.
class Region {
 public:
  /// Throws RESOURCE_EXHAUSTED.
  static std::shared_ptr<Region> create(uint64_t size);
  /// One that a worker made. Throws ProtocolError when it isn't of `size` or not sealed.
  static std::shared_ptr<Region> adopt(UniqueFd fd, uint64_t size);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }
  int fd() const { return fd_.get(); }
  /// The first word of a block that the worker has there, which becomes 0 when the server has no more use for the
  /// block. Throws ProtocolError for an offset that is not aligned for a block, or beyond the memory.
  std::atomic<uint32_t>& block_word(uint64_t offset) const;
  /// Gives the memory back to the system; it reads as zeros then.
  void forget();

 private:
  Region(UniqueFd fd, std::byte* data, uint64_t size) : fd_(std::move(fd)), data_(data), size_(size) {}

  UniqueFd fd_;
  std::byte* const data_;
  const uint64_t size_;
};

}  // namespace modelmill::python
