#include "experiment/experiment_journal.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "state/durable_file.h"

namespace modelmill {
namespace {

constexpr std::string_view kMagic = "modelmill experiment 1\n";
constexpr size_t kMostOfBatch = 65'536;

struct BatchHead {
  uint32_t events = 0;
  uint32_t checksum = 0;
};

uint32_t checksum_of(const char* data, size_t size) {
  return static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

void append_batches(std::string& out, std::span<const ExperimentEvent> events) {
  while (!events.empty()) {
    const auto some = events.first(std::min(events.size(), kMostOfBatch));
    const auto* const data = reinterpret_cast<const char*>(some.data());
    const BatchHead head{static_cast<uint32_t>(some.size()), checksum_of(data, some.size_bytes())};
    out.append(reinterpret_cast<const char*>(&head), sizeof head).append(data, some.size_bytes());
    events = events.subspan(some.size());
  }
}

Status failed(const std::string& file, const char* what) {
  return internal("can't " + std::string(what) + " '" + file + "': " + std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<ExperimentJournal>> ExperimentJournal::open(
    const std::string& file, const std::function<void(const ExperimentEvent&)>& replay) {
  std::unique_ptr<ExperimentJournal> journal(new ExperimentJournal(file));
  auto text = read_whole_file(file, std::numeric_limits<uint64_t>::max());
  if (!text.ok() && text.status().code() != Code::kNotFound) return text.status();
  if (!text.ok() || text->empty()) {
    MM_RETURN_IF_ERROR(journal->rewrite({}));
    return journal;
  }
  if (!text->starts_with(kMagic)) return Status(Code::kDataLoss, "'" + file + "' is not a journal of an experiment");
  size_t at = kMagic.size();
  BatchHead head;
  while (text->size() - at >= sizeof head) {
    std::memcpy(&head, text->data() + at, sizeof head);
    const size_t bytes = head.events * sizeof(ExperimentEvent);
    const char* const data = text->data() + at + sizeof head;
    if (head.events == 0 || head.events > kMostOfBatch || text->size() - at - sizeof head < bytes ||
        checksum_of(data, bytes) != head.checksum)
      break;
    for (size_t i = 0; i < head.events; ++i) {
      ExperimentEvent event;
      std::memcpy(&event, data + i * sizeof event, sizeof event);
      replay(event);
    }
    journal->events_ += head.events;
    at += sizeof head + bytes;
  }
  if (at != text->size())
    Log::warning("the end of an experiment's journal is torn, and dropped",
                 {{"file", file}, {"bytes", std::to_string(text->size() - at)}});
  journal->size_ = at;
  MM_RETURN_IF_ERROR(journal->reopen());
  return journal;
}

ExperimentJournal::~ExperimentJournal() {
  if (fd_ >= 0) ::close(fd_);
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
  for (size_t done = 0; done < out.size();) {
    const ssize_t n = ::pwrite(fd_, out.data() + done, out.size() - done, static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    // What is half there is written over by the next.
    if (n <= 0) return failed(file_, "write");
    done += static_cast<size_t>(n);
  }
  size_ += out.size();
  events_ += events.size();
  is_dirty_ = true;
  return ok_status();
}

Status ExperimentJournal::sync() {
  if (!is_dirty_ || fd_ < 0) return ok_status();
  if (::fdatasync(fd_) != 0) return failed(file_, "sync");
  is_dirty_ = false;
  return ok_status();
}

Status ExperimentJournal::rewrite(std::span<const ExperimentEvent> events) {
  std::string out(kMagic);
  append_batches(out, events);
  MM_RETURN_IF_ERROR(replace_file(file_, out));
  size_ = out.size();
  events_ = events.size();
  is_dirty_ = false;
  return reopen();
}

}  // namespace modelmill
