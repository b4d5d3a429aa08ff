#include "arena.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::python {
namespace {

constexpr uint64_t kAlign = 64;
constexpr uint64_t kLeastRegion = uint64_t{1} << 20;
/// Smaller ones are not worth the page faults that they cost when they are used again.
constexpr uint64_t kLeastTrimmed = uint64_t{8} << 20;
constexpr auto kTrimAfter = std::chrono::seconds(5);

}  // namespace

std::shared_ptr<Arena::Block> Arena::allocate(uint64_t size) {
  const uint64_t rounded = std::max((size + kAlign - 1) / kAlign * kAlign, kAlign);
  const std::lock_guard lock(mutex_);
  if (rounded >= size && rounded <= limit_) {
    for (size_t i = 0; i < rooms_.size(); ++i)
      if (auto block = take(i, rounded)) return block;
    uint64_t grown = std::max({kLeastRegion, std::bit_ceil(rounded), std::bit_floor(total_)});
    grown = std::min(grown, limit_ - std::min(total_, limit_));
    if (grown >= rounded) {
      auto region = Region::create(grown);
      rooms_.push_back({std::move(region), {{0, grown}}});
      total_ += grown;
      return take(rooms_.size() - 1, rounded);
    }
  }
  throw backend::Error(MM_RESOURCE_EXHAUSTED, "inputs of " + std::to_string(size) +
                                                  " bytes don't fit into the shared memory of a Python "
                                                  "worker, of which " +
                                                  std::to_string(limit_) +
                                                  " bytes may be used; raise the model's parameter "
                                                  "'shared_memory_mb'");
}

std::shared_ptr<Arena::Block> Arena::take(size_t index, uint64_t size) {
  Room& room = rooms_[index];
  const auto gap = std::find_if(room.gaps.begin(), room.gaps.end(), [&](const auto& g) { return g.second >= size; });
  if (gap == room.gaps.end()) return nullptr;
  const auto [offset, length] = *gap;
  auto block = std::make_shared<Block>(shared_from_this(), room.region, static_cast<uint32_t>(index), offset, size);
  room.gaps.erase(gap);
  if (length > size) room.gaps.emplace(offset + size, length - size);
  room.forgotten = false;
  return block;
}

void Arena::free(const Block& block) {
  const std::lock_guard lock(mutex_);
  Room& room = rooms_[block.region()];
  auto gap = room.gaps.emplace(block.offset(), block.size()).first;
  if (const auto next = std::next(gap); next != room.gaps.end() && gap->first + gap->second == next->first) {
    gap->second += next->second;
    room.gaps.erase(next);
  }
  if (gap != room.gaps.begin()) {
    const auto before = std::prev(gap);
    if (before->first + before->second == gap->first) {
      before->second += gap->second;
      room.gaps.erase(gap);
      gap = before;
    }
  }
  if (gap->second == room.region->size() && room.region->size() >= kLeastTrimmed)
    room.empty_since = std::chrono::steady_clock::now();
}

std::vector<Arena::NewRegion> Arena::take_new() {
  const std::lock_guard lock(mutex_);
  std::vector<NewRegion> out;
  for (; told_ < rooms_.size(); ++told_) out.push_back({static_cast<uint32_t>(told_), rooms_[told_].region});
  return out;
}

void Arena::trim(std::chrono::steady_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (Room& room : rooms_) {
    const bool empty = room.gaps.size() == 1 && room.gaps.begin()->second == room.region->size();
    if (!empty || room.forgotten || room.region->size() < kLeastTrimmed || now - room.empty_since < kTrimAfter)
      continue;
    room.region->forget();
    room.forgotten = true;
  }
}

}  // namespace modelmill::python
