#include "region.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string>

#include "frames.h"

namespace modelmill::python {
namespace {

std::byte* map(int fd, uint64_t size) {
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return data == MAP_FAILED ? nullptr : static_cast<std::byte*>(data);
}

[[noreturn]] void no_memory(uint64_t size, int error) {
  throw backend::Error(MM_RESOURCE_EXHAUSTED, "no shared memory of " + std::to_string(size) +
                                                  " bytes for a Python worker: " + std::strerror(error));
}

}  // namespace

std::shared_ptr<Region> Region::create(uint64_t size) {
  UniqueFd fd(::memfd_create("modelmill", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    no_memory(size, errno);
  std::byte* data = map(fd.get(), size);
  if (data == nullptr) no_memory(size, errno);
  return std::shared_ptr<Region>(new Region(std::move(fd), data, size));
}

std::shared_ptr<Region> Region::adopt(UniqueFd fd, uint64_t size) {
  struct stat found {};
  struct statfs where {};
  if (::fstat(fd.get(), &found) != 0 || ::fstatfs(fd.get(), &where) != 0 || where.f_type != TMPFS_MAGIC)
    throw ProtocolError("its memory is not a memfd");
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) throw ProtocolError("its memory is not sealed");
  if (size == 0 || static_cast<uint64_t>(found.st_size) != size) throw ProtocolError("its memory is of another size");
  std::byte* data = map(fd.get(), size);
  if (data == nullptr) throw ProtocolError(std::string("its memory can't be mapped: ") + std::strerror(errno));
  return std::shared_ptr<Region>(new Region({}, data, size));
}

Region::~Region() { ::munmap(data_, size_); }

std::atomic<uint32_t>& Region::block_word(uint64_t offset) const {
  static_assert(std::atomic<uint32_t>::is_always_lock_free);
  constexpr uint64_t kAligned = sizeof(uint64_t);
  if (offset % kAligned != 0 || size_ < kAligned || offset > size_ - kAligned)
    throw ProtocolError("a block that is not in its memory");
  return *reinterpret_cast<std::atomic<uint32_t>*>(data_ + offset);
}

void Region::forget() { (void)::madvise(data_, size_, MADV_REMOVE); }

}  // namespace modelmill::python
