#include "cli/personality/secret_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace modelmill::personality {

Result<std::string> keep_in_memory(const std::string& name, const std::string& text) {
  const int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  if (fd < 0) return unavailable(name + " can't be kept in memory: " + std::strerror(errno));
  for (size_t written = 0; written < text.size();) {
    const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const Status status = unavailable(name + " can't be kept in memory: " + std::strerror(errno));
      ::close(fd);
      return status;
    }
    written += static_cast<size_t>(count);
  }
  return "/proc/self/fd/" + std::to_string(fd);  // it stays open until the process ends
}

}  // namespace modelmill::personality
