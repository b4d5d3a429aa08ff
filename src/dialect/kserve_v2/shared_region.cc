#include "dialect/kserve_v2/shared_region.h"

#include <utility>

namespace modelmill::kserve_v2 {
namespace {

/// What went wrong with a region's object after it was registered.
Status broken(const SharedRegion& region, const Status& status) {
  if (status.code() != Code::kOutOfRange)
    return internal("shared memory region '" + region.name + "' cannot be used: " + status.message());
  return invalid_argument("Invalid offset + byte size for shared memory region: '" + region.name +
                          "': " + status.message() + "; unregister it, and register it with the size that it has");
}

}  // namespace

Status SharedRegion::read(uint64_t at, std::span<std::byte> into) const {
  return on_gpu ? on_gpu->read(offset + at, into) : object->read(offset + at, into);
}

Status SharedRegion::write(uint64_t at, std::span<const std::byte> from) const {
  return on_gpu ? on_gpu->write(offset + at, from) : object->write(offset + at, from);
}

Result<Bytes> SharedSlice::read() const {
  MemoryRef memory = Memory::allocate(size);
  const Status status = region->read(offset, {memory->data(), memory->size()});
  if (!status.ok()) return broken(*region, status);
  return Bytes(std::move(memory));
}

Status SharedSlice::write(const Chunks& bytes) const {
  uint64_t at = offset;
  for (const Bytes& chunk : bytes) {
    const Status status = region->write(at, {chunk.data(), chunk.size()});
    if (!status.ok()) return broken(*region, status);
    at += chunk.size();
  }
  return ok_status();
}

}  // namespace modelmill::kserve_v2
