#include "storage/folder_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/disk_error.h"

namespace modelmill {
namespace fs = std::filesystem;

FolderSink::~FolderSink() {
  if (fd_ >= 0) ::close(fd_);
}

Status FolderSink::folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(root_ + '/' + path, error);
  return error ? disk_error(root_ + '/' + path, "made", error.value()) : ok_status();
}

Status FolderSink::begin_file(const std::string& path, bool executable) {
  file_ = root_ + '/' + path;
  if (path.find('/') != std::string::npos) MM_RETURN_IF_ERROR(folder(fs::path(path).parent_path().string()));
  fd_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, executable ? 0555 : 0444);
  return fd_ >= 0 ? ok_status() : disk_error(file_, "made", errno);
}

Status FolderSink::write(uint64_t offset, std::string_view piece) {
  if (offset >= most_content_) return ok_status();
  piece = piece.substr(0, most_content_ - offset);
  while (!piece.empty()) {
    const ssize_t n = ::pwrite(fd_, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error(file_, "written", errno, piece.size());
    piece.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return ok_status();
}

/// The size is set at last, since zeros at the end are not written.
Status FolderSink::end_file(uint64_t size) {
  const int fd = std::exchange(fd_, -1);
  int error = ::ftruncate(fd, static_cast<off_t>(size)) == 0 ? 0 : errno;
  if (::close(fd) != 0 && error == 0) error = errno;
  return error == 0 ? ok_status() : disk_error(file_, "written", error, size);
}

}  // namespace modelmill
