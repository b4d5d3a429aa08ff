#include "base/shared_memory_object.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace modelmill {
namespace {

constexpr char kFolder[] = "/dev/shm/";

Status failure(int error) {
  const Code code = error == ENOENT                      ? Code::kNotFound
                    : error == EACCES || error == EPERM  ? Code::kPermissionDenied
                    : error == EMFILE || error == ENFILE ? Code::kResourceExhausted
                                                         : Code::kInvalidArgument;
  return {code, error == ELOOP ? "it is a link" : std::strerror(error)};
}

Status too_short() { return {Code::kOutOfRange, "the shared memory object has become smaller than the region"}; }

}  // namespace

Result<std::string> SharedMemoryObject::name_of(std::string_view key) {
  while (key.starts_with('/')) key.remove_prefix(1);
  if (key.empty() || key == "." || key == "..") return invalid_argument("it names no shared memory object");
  if (key.find('/') != std::string_view::npos || key.find('\0') != std::string_view::npos)
    return invalid_argument("behind its first character it may have no '/' and no zero byte");
  if (key.size() > NAME_MAX)
    return invalid_argument("it is longer than the " + std::to_string(NAME_MAX) + " bytes that a name may have");
  return std::string(key);
}

Result<SharedMemoryObject> SharedMemoryObject::open(const std::string& name) {
  // A pipe would be waited for without O_NONBLOCK; files know no such flag.
  const int fd = ::open((kFolder + name).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return failure(errno);
  SharedMemoryObject object(fd);
  struct stat about {};
  if (::fstat(fd, &about) != 0) return failure(errno);
  if (!S_ISREG(about.st_mode)) return invalid_argument("it is no shared memory object but a file of another kind");
  return object;
}

SharedMemoryObject::~SharedMemoryObject() {
  if (fd_ >= 0) ::close(fd_);
}

Result<uint64_t> SharedMemoryObject::size() const {
  struct stat about {};
  if (::fstat(fd_, &about) != 0) return failure(errno);
  return static_cast<uint64_t>(about.st_size);
}

Status SharedMemoryObject::read(uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(errno);
    if (n == 0) return too_short();
    into = into.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return ok_status();
}

Status SharedMemoryObject::write(uint64_t offset, std::span<const std::byte> from) const {
  // A write behind the end would make the object longer than its maker wants it.
  MM_ASSIGN_OR_RETURN(const uint64_t size, this->size());
  if (offset > size || from.size() > size - offset) return too_short();
  while (!from.empty()) {
    const ssize_t n = ::pwrite(fd_, from.data(), from.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure(n < 0 ? errno : ENOSPC);
    from = from.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return ok_status();
}

}  // namespace modelmill
