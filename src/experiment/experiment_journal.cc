#include "experiment/experiment_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "experiment/journal_format.h"
#include "experiment/journal_tail.h"
#include "state/durable_file.h"

namespace modelmill {
namespace {

void append_batches(std::string& out, std::span<const ExperimentEvent> events) {
  while (!events.empty()) {
    const auto some = events.first(std::min(events.size(), kMostOfJournalBatch));
    const auto* const data = reinterpret_cast<const char*>(some.data());
    const JournalBatchHead head{static_cast<uint32_t>(some.size()), journal_checksum(data, some.size_bytes())};
    out.append(reinterpret_cast<const char*>(&head), sizeof head).append(data, some.size_bytes());
    events = events.subspan(some.size());
  }
}

Status failed(const std::string& file, const char* what) {
  return internal("can't " + std::string(what) + " '" + file + "': " + std::strerror(errno));
}

/// Takes away what there is of it: on a full disk each try would leave an empty file.
Status not_made(const Status& why, const std::string& file) {
  ::unlink(file.c_str());
  return why;
}

}  // namespace

Result<std::unique_ptr<ExperimentJournal>> ExperimentJournal::open(
    const std::string& file, const std::function<void(const ExperimentEvent&)>& replay) {
  std::unique_ptr<ExperimentJournal> journal(new ExperimentJournal(file));
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  // What can't be looked at just now may be whole.
  if (error && error != std::errc::no_such_file_or_directory)
    return internal("can't look at '" + file + "': " + error.message());
  if (error || size == 0) {
    MM_RETURN_IF_ERROR(journal->rewrite({}));
    return journal;
  }
  JournalTail tail(file);
  MM_RETURN_IF_ERROR(tail.read([&](std::span<const ExperimentEvent> batch, uint64_t) {
    for (const ExperimentEvent& event : batch) replay(event);
    journal->events_ += batch.size();
    return true;
  }));
  if (tail.offset() == 0) return Status(Code::kDataLoss, "'" + file + "' is not a journal of an experiment");
  if (tail.offset() != tail.size())
    Log::warning("the end of an experiment's journal is torn, and dropped",
                 {{"file", file}, {"bytes", std::to_string(tail.size() - tail.offset())}});
  journal->size_ = tail.offset();
  MM_RETURN_IF_ERROR(journal->reopen());
  return journal;
}

Result<std::unique_ptr<ExperimentJournal>> ExperimentJournal::make(const std::string& file) {
  std::unique_ptr<ExperimentJournal> journal(new ExperimentJournal(file));
  journal->is_locked_ = true;
  for (struct stat now{}; now.st_nlink == 0;) {  // before it is locked, a reader may take it for a dead process's
    if (journal->fd_ >= 0) ::close(journal->fd_);
    journal->fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (journal->fd_ < 0) return failed(file, "make");
    int locked = 0;
    do locked = ::flock(journal->fd_, LOCK_EX);
    while (locked != 0 && errno == EINTR);
    if (locked != 0) return not_made(failed(file, "lock"), file);
    if (::fstat(journal->fd_, &now) != 0) return not_made(failed(file, "look at"), file);
  }
  if (const Status written = journal->write(std::string(kJournalMagic)); !written.ok()) return not_made(written, file);
  return journal;
}

ExperimentJournal::~ExperimentJournal() {
  if (fd_ < 0) return;
  // By name, and not by close alone: a child between fork and exec has the same open file.
  if (is_locked_) ::flock(fd_, LOCK_UN);
  ::close(fd_);
}

Status ExperimentJournal::reopen() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  fd_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd_ < 0) return failed(file_, "open");
  if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return failed(file_, "cut");
  return ok_status();
}

Status ExperimentJournal::append(std::span<const ExperimentEvent> events) {
  if (events.empty()) return ok_status();
  if (fd_ < 0) MM_RETURN_IF_ERROR(reopen());
  std::string out;
  append_batches(out, events);
  MM_RETURN_IF_ERROR(write(out));
  events_ += events.size();
  return ok_status();
}

Status ExperimentJournal::write(const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    // What is half there is written over by the next.
    if (n <= 0) return failed(file_, "write");
    done += static_cast<size_t>(n);
  }
  size_ += bytes.size();
  is_dirty_ = true;
  return ok_status();
}

bool ExperimentJournal::is_there() const {
  struct stat now {};
  return fd_ >= 0 && ::fstat(fd_, &now) == 0 && now.st_nlink > 0;
}

Status ExperimentJournal::sync() {
  if (!is_dirty_ || fd_ < 0) return ok_status();
  if (::fdatasync(fd_) != 0) return failed(file_, "sync");
  is_dirty_ = false;
  return ok_status();
}

Status ExperimentJournal::rewrite(std::span<const ExperimentEvent> events) {
  std::string out(kJournalMagic);
  append_batches(out, events);
  MM_RETURN_IF_ERROR(replace_file(file_, out));
  size_ = out.size();
  events_ = events.size();
  is_dirty_ = false;
  return reopen();
}

bool remove_left_journal(const std::string& file, uint64_t size) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT;
  struct stat now {};
  const bool is_locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  const bool is_left = is_locked && ::fstat(fd, &now) == 0 && static_cast<uint64_t>(now.st_size) <= size;
  const bool removed = is_left && ::unlink(file.c_str()) == 0;
  if (is_locked) ::flock(fd, LOCK_UN);
  ::close(fd);
  return removed;
}

}  // namespace modelmill
