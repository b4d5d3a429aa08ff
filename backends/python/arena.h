#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "region.h"

namespace modelmill::python {

/// Hands out blocks of the server's shared memory for one worker. Grows by further regions up to a bound. Thread-safe;
/// blocks keep it alive.
class Arena : public std::enable_shared_from_this<Arena> {
 public:
  /// `limit`: bytes of all regions together.
  explicit Arena(uint64_t limit) : limit_(limit) {}

  /// A piece of a region, free again when it is destroyed. Begins at a multiple of 64.
  class Block {
   public:
    Block(std::shared_ptr<Arena> arena, std::shared_ptr<Region> region, uint32_t id, uint64_t offset, uint64_t size)
        : arena_(std::move(arena)), region_(std::move(region)), id_(id), offset_(offset), size_(size) {}
    ~Block() { arena_->free(*this); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    std::byte* data() const { return region_->data() + offset_; }
    uint32_t region() const { return id_; }
    uint64_t offset() const { return offset_; }
    uint64_t size() const { return size_; }

   private:
    const std::shared_ptr<Arena> arena_;
    const std::shared_ptr<Region> region_;
    const uint32_t id_;
    const uint64_t offset_, size_;
  };

  /// Throws RESOURCE_EXHAUSTED when the bound is reached.
  std::shared_ptr<Block> allocate(uint64_t size);

  struct NewRegion {
    uint32_t id;
    std::shared_ptr<Region> region;
  };
  /// Regions that the worker has not been told of. Each is given once.
  std::vector<NewRegion> take_new();

  /// Gives the system what large regions hold that have been empty for some time.
  void trim(std::chrono::steady_clock::time_point now);

 private:
  struct Room {
    std::shared_ptr<Region> region;
    std::map<uint64_t, uint64_t> gaps;  // free: offset, size
    std::chrono::steady_clock::time_point empty_since{};
    bool forgotten = true;  // nothing was in it since its memory was given back
  };

  void free(const Block& block);
  std::shared_ptr<Block> take(size_t index, uint64_t size);

  const uint64_t limit_;
  std::mutex mutex_;
  std::vector<Room> rooms_;  // by id
  size_t told_ = 0;
  uint64_t total_ = 0;
};

}  // namespace modelmill::python
