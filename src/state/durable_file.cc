#include "state/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/private_file.h"

namespace modelmill {
namespace {

Status failed(const std::string& file, const char* what, int error) {
  const std::string why = "file '" + file + "' of the server's state can't be " + what + ": " + std::strerror(error);
  return error == ENOENT ? not_found(why) : unavailable(why);
}

Status flush_folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool flushed = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (flushed) return ok_status();
  return unavailable("file '" + file +
                     "' of the server's state has changed, but may be as before after a crash of the "
                     "machine: folder '" +
                     folder + "' can't be flushed: " + std::strerror(error));
}

}  // namespace

Status replace_file(const std::string& file, std::string_view text) {
  const std::string draft = file + ".draft";
  Status status = write_private_file(draft, text);
  if (status.ok() && ::rename(draft.c_str(), file.c_str()) != 0) status = failed(file, "replaced", errno);
  if (status.ok()) return flush_folder_of(file);
  ::unlink(draft.c_str());
  return status;
}

Status remove_file(const std::string& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) return failed(file, "removed", errno);
  return flush_folder_of(file);
}

Result<std::string> read_whole_file(const std::string& file, uint64_t limit) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(file, "read", errno);
  std::string text;
  std::array<char, 16384> part{};
  ssize_t n = 0;
  do {
    n = ::read(fd, part.data(), part.size());
    if (n > 0) text.append(part.data(), static_cast<size_t>(n));
  } while ((n > 0 && text.size() <= limit) || (n < 0 && errno == EINTR));
  const int error = errno;
  ::close(fd);
  if (n < 0) return failed(file, "read", error);
  if (text.size() <= limit) return text;
  return resource_exhausted("file '" + file + "' of the server's state has more than " + std::to_string(limit) +
                            " bytes, the most that is read");
}

}  // namespace modelmill
