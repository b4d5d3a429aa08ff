#include "experiment/journal_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "experiment/journal_format.h"

namespace modelmill {
namespace {

/// How many of `size` bytes there are from `at` on; below 0: it failed.
ssize_t read_at(int fd, void* into, size_t size, uint64_t at) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, static_cast<char*>(into) + done, size - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

Status unreadable(const std::string& file) {
  const std::string why = "can't read '" + file + "': " + std::strerror(errno);
  return errno == ENOENT ? not_found(why) : internal(why);
}

}  // namespace

JournalTail::~JournalTail() {
  if (fd_ >= 0) ::close(fd_);
}

Status JournalTail::read_magic() {
  char magic[kJournalMagic.size()];
  const ssize_t n = read_at(fd_, magic, sizeof magic, 0);
  if (n < 0) return unreadable(file_);
  const std::string_view begin(magic, static_cast<size_t>(n));
  if (!kJournalMagic.starts_with(begin))
    return Status(Code::kDataLoss, "'" + file_ + "' is not a journal of an experiment");
  if (begin.size() == kJournalMagic.size()) offset_ = begin.size();
  return ok_status();
}

Status JournalTail::read(const Take& take, uint64_t until) {
  if (fd_ < 0) fd_ = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat now {};
  if (fd_ < 0 || ::fstat(fd_, &now) != 0) return unreadable(file_);
  if (now.st_nlink == 0) return Status(Code::kAborted, "'" + file_ + "' was written anew, or taken away");
  size_ = static_cast<uint64_t>(now.st_size);
  if (offset_ == 0) MM_RETURN_IF_ERROR(read_magic());
  if (offset_ == 0) return ok_status();  // it is being made
  std::vector<ExperimentEvent> events;
  JournalBatchHead head;
  while (offset_ + sizeof head <= size_) {
    ssize_t n = read_at(fd_, &head, sizeof head, offset_);
    if (n < 0) return unreadable(file_);
    if (n < static_cast<ssize_t>(sizeof head)) break;
    const uint64_t end = offset_ + sizeof head + head.events * sizeof(ExperimentEvent);
    if (head.events == 0 || head.events > kMostOfJournalBatch || end > size_ || end > until) break;
    events.resize(head.events);
    const size_t bytes = events.size() * sizeof(ExperimentEvent);
    n = read_at(fd_, events.data(), bytes, offset_ + sizeof head);
    if (n < 0) return unreadable(file_);
    if (n < static_cast<ssize_t>(bytes) ||
        journal_checksum(reinterpret_cast<const char*>(events.data()), bytes) != head.checksum)
      break;
    if (!take(events, end)) break;
    offset_ = end;
  }
  return ok_status();
}

}  // namespace modelmill
