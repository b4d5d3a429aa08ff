#include "storage/archive_stream.h"

#include <archive.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace modelmill {
namespace {

constexpr size_t kPiece = size_t{256} << 10;
constexpr unsigned kInflateBuffer = 128 << 10;
constexpr size_t kTarEnd = 1024;  // two blocks of zeros

}  // namespace

Result<std::unique_ptr<ArchiveStream>> ArchiveStream::open(const std::string& path, const std::atomic<bool>& cancel) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    const std::string why = std::string("it can't be read: ") + std::strerror(error);
    return error == ENOENT ? not_found(why) : unavailable(why);
  }
  std::unique_ptr<ArchiveStream> stream(new ArchiveStream(fd, static_cast<uint64_t>(info.st_size), cancel));
  unsigned char magic[2] = {};
  if (::pread(fd, magic, sizeof magic, 0) == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b) {
    const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    gzFile gz = own < 0 ? nullptr : ::gzdopen(own, "rb");
    if (gz == nullptr) {
      if (own >= 0) ::close(own);
      return unavailable("it can't be inflated: no memory, or too many open files");
    }
    ::gzbuffer(gz, kInflateBuffer);
    stream->gz_ = gz;
  }
  return stream;
}

ArchiveStream::ArchiveStream(int fd, uint64_t size, const std::atomic<bool>& cancel)
    : fd_(fd), size_(size), cancelled_(cancel), buffer_(kPiece, '\0') {}

ArchiveStream::~ArchiveStream() {
  if (gz_ != nullptr) ::gzclose(static_cast<gzFile>(gz_));
  ::close(fd_);
}

Status ArchiveStream::attach(struct archive* reader) {
  ::archive_read_support_format_tar(reader);
  if (!gzipped()) {
    // By its directory at the end, without which it is cut off.
    ::archive_read_support_format_zip_seekable(reader);
    ::archive_read_set_seek_callback(reader, on_seek);
    ::archive_read_set_skip_callback(reader, on_skip);
  }
  ::archive_read_set_read_callback(reader, on_read);
  ::archive_read_set_callback_data(reader, this);
  if (::archive_read_open1(reader) == ARCHIVE_OK) return ok_status();
  return status_.ok() ? invalid_argument("it is no zip, tar or tar.gz") : status_;
}

int64_t ArchiveStream::read(const void** piece) {
  *piece = buffer_.data();
  if (!status_.ok()) return -1;
  int64_t n = -1;
  if (cancelled_) {
    status_ = cancelled("reading it was cancelled");
  } else if (gz_ != nullptr) {
    auto* gz = static_cast<gzFile>(gz_);
    n = ::gzread(gz, buffer_.data(), static_cast<unsigned>(buffer_.size()));
    int error = Z_OK;
    const char* why = n <= 0 ? ::gzerror(gz, &error) : "";
    if (n < 0 || error == Z_BUF_ERROR)
      status_ = Status(Code::kDataLoss, std::string("it is damaged or cut off: ") + why);
  } else {
    do n = ::read(fd_, buffer_.data(), buffer_.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) status_ = unavailable(std::string("it can't be read: ") + std::strerror(errno));
  }
  if (n > 0) given_ += static_cast<uint64_t>(n);
  if (given_ > most_) status_ = resource_exhausted("it inflates to more than " + std::to_string(most_) + " bytes");
  return status_.ok() ? n : -1;
}

int64_t ArchiveStream::seek(int64_t offset, int whence) { return ::lseek(fd_, offset, whence); }

ssize_t ArchiveStream::on_read(struct archive* reader, void* self, const void** piece) {
  auto* stream = static_cast<ArchiveStream*>(self);
  const auto n = static_cast<ssize_t>(stream->read(piece));
  if (n < 0) ::archive_set_error(reader, EIO, "%s", stream->status_.message().c_str());
  return n < 0 ? ARCHIVE_FATAL : n;
}

int64_t ArchiveStream::on_seek(struct archive*, void* self, int64_t offset, int whence) {
  const int64_t at = static_cast<ArchiveStream*>(self)->seek(offset, whence);
  return at < 0 ? ARCHIVE_FATAL : at;
}

/// What lies between entries is passed over; never beyond the end, where nothing would be missed any more.
int64_t ArchiveStream::on_skip(struct archive*, void* self, int64_t wanted) {
  auto* stream = static_cast<ArchiveStream*>(self);
  const int64_t at = stream->seek(0, SEEK_CUR);
  const int64_t left = static_cast<int64_t>(stream->size_) - at;
  const int64_t step = std::clamp<int64_t>(wanted, 0, std::max<int64_t>(left, 0));
  return at < 0 || stream->seek(step, SEEK_CUR) < 0 ? 0 : step;
}

Status ArchiveStream::finish() {
  const void* piece = nullptr;
  while (gzipped() && read(&piece) > 0) {
  }
  return status_;
}

Status ArchiveStream::check_end_of_tar() const {
  if (gzipped()) return ok_status();  // its checksum says so
  char end[kTarEnd];
  const bool zeros = size_ >= sizeof end &&
                     ::pread(fd_, end, sizeof end, static_cast<off_t>(size_ - sizeof end)) == sizeof end &&
                     std::all_of(std::begin(end), std::end(end), [](char c) { return c == 0; });
  return zeros ? ok_status() : Status(Code::kDataLoss, "it is cut off: a tar ends with 1024 bytes of zeros");
}

}  // namespace modelmill
