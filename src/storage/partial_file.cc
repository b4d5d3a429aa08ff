#include "storage/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>

#include "storage/disk_error.h"

namespace modelmill {
namespace {

constexpr char kMissing = '0', kDone = '1';

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

/// What begins the ranges file; each thing on a line of its own.
std::string head_of(const PartialFile::Identity& identity) {
  return "modelmill partial file 1\n" + identity.object + '\n' + identity.version + '\n' +
         (identity.size ? std::to_string(*identity.size) : "?") + '\n' + std::to_string(identity.chunk) + '\n' +
         boot_id() + '\n';
}

size_t chunk_count(const PartialFile::Identity& identity) {
  if (!identity.size) return 1;
  return std::max<size_t>(1, (*identity.size + identity.chunk - 1) / identity.chunk);
}

Status write_all(int fd, uint64_t offset, std::string_view piece, const std::string& path) {
  while (!piece.empty()) {
    const ssize_t n = ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error(path, "written", errno, piece.size());
    piece.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return ok_status();
}

}  // namespace

PartialFile::PartialFile(std::string path, Identity identity, int data, int ranges)
    : path_(std::move(path)),
      identity_(std::move(identity)),
      data_(data),
      ranges_(ranges),
      head_size_(head_of(identity_).size()),
      done_(chunk_count(identity_), 0) {}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(std::move(other.identity_)),
      data_(std::exchange(other.data_, -1)),
      ranges_(std::exchange(other.ranges_, -1)),
      head_size_(other.head_size_),
      done_(std::move(other.done_)) {}

PartialFile::~PartialFile() {
  if (data_ >= 0) ::close(data_);
  if (ranges_ >= 0) ::close(ranges_);
}

std::optional<PartialFile> PartialFile::resume(const std::string& path, const Identity& identity) {
  if (identity.version.empty() || !identity.size) return std::nullopt;
  std::ifstream file(path + ".ranges", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::string head = head_of(identity);
  const size_t count = chunk_count(identity);
  if (text.size() != head.size() + count || !text.starts_with(head)) return std::nullopt;
  const int data = ::open((path + ".part").c_str(), O_RDWR | O_CLOEXEC);
  const int ranges = ::open((path + ".ranges").c_str(), O_RDWR | O_CLOEXEC);
  PartialFile partial(path, identity, data, ranges);
  struct stat info {};
  if (data < 0 || ranges < 0 || ::fstat(data, &info) != 0 || static_cast<uint64_t>(info.st_size) != *identity.size)
    return std::nullopt;
  for (size_t i = 0; i < count; ++i) partial.done_[i] = text[head.size() + i] == kDone;
  return partial;
}

Result<PartialFile> PartialFile::create(const std::string& path, const Identity& identity) {
  remove(path);
  const std::string data_path = path + ".part", ranges_path = path + ".ranges", fresh = ranges_path + ".new";
  const int data = ::open(data_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int error = errno;
  const int ranges = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  PartialFile partial(path, identity, data, ranges);
  if (data < 0) return disk_error(data_path, "made", error);
  if (ranges < 0) return disk_error(fresh, "made", errno);
  if (identity.size.value_or(0) > 0) {
    const auto size = static_cast<off_t>(*identity.size);
    // Not every file system can promise room; then writing tells.
    if (::fallocate(data, 0, 0, size) != 0 && (errno != EOPNOTSUPP || ::ftruncate(data, size) != 0)) {
      Status full = disk_error(data_path, "made as large as needed", errno, *identity.size);
      remove(path);
      return full;
    }
  }
  MM_RETURN_IF_ERROR(write_all(ranges, 0, head_of(identity) + std::string(partial.chunks(), kMissing), fresh));
  if (::rename(fresh.c_str(), ranges_path.c_str()) != 0) return disk_error(ranges_path, "made", errno);
  return partial;
}

void PartialFile::remove(const std::string& path) {
  for (const char* end : {".ranges", ".ranges.new", ".part"}) ::unlink((path + end).c_str());
}

uint64_t PartialFile::bytes_done() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < done_.size(); ++i) sum += is_done(i) ? chunk_size(i) : 0;
  return sum;
}

uint64_t PartialFile::chunk_size(size_t chunk) const {
  const uint64_t size = identity_.size.value_or(0);
  return std::min(identity_.chunk, size - chunk_begin(chunk));
}

Status PartialFile::write(uint64_t offset, std::string_view piece) {
  return write_all(data_, offset, piece, data_path());
}

Status PartialFile::mark_done(size_t chunk) {
  done_[chunk] = 1;
  return write_all(ranges_, head_size_ + chunk, std::string_view(&kDone, 1), path_ + ".ranges");
}

Status PartialFile::cut(uint64_t size) {
  return ::ftruncate(data_, static_cast<off_t>(size)) == 0 ? ok_status() : disk_error(data_path(), "cut", errno);
}

Status PartialFile::sync() { return ::fdatasync(data_) == 0 ? ok_status() : disk_error(data_path(), "written", errno); }

}  // namespace modelmill
