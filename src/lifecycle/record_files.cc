#include "lifecycle/record_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "lifecycle/tf_records.h"

namespace modelmill {
namespace {

constexpr uint64_t kMostWaiting = uint64_t{64} << 20;
constexpr off_t kLargestFile = off_t{256} << 20;
constexpr auto kTellEvery = std::chrono::minutes(1);
/// A file that nothing is written to is closed after so long; what comes then begins another one.
constexpr auto kKeptOpen = std::chrono::hours(1);

Status failed(const std::string& what, const std::string& path) {
  return unavailable("file '" + path + "' can't be " + what + ": " + std::strerror(errno));
}

std::string new_path(const std::string& prefix) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return prefix + "-" + text + "-" + std::to_string(::getpid());
}

}  // namespace

/// The file of a prefix that is written at the moment.
class RecordFiles::File {
 public:
  explicit File(std::string prefix) : prefix_(std::move(prefix)) {}
  ~File() { close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  TimePoint used{};

  /// All of `bytes`, or nothing of it.
  Status append(std::string_view bytes) {
    if (fd_ >= 0 && is_over()) close();
    if (fd_ < 0) MM_RETURN_IF_ERROR(open());
    const off_t begin = size_;
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), size_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        Status status = failed("written", path_);
        if (::ftruncate(fd_, begin) != 0) close();  // the next record begins another file
        size_ = begin;
        return status;
      }
      size_ += written;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return ok_status();
  }

 private:
  bool is_over() const {
    struct stat at_path {
    }, open{};
    return size_ >= kLargestFile || ::stat(path_.c_str(), &at_path) != 0 || ::fstat(fd_, &open) != 0 ||
           at_path.st_ino != open.st_ino || at_path.st_dev != open.st_dev;
  }

  Status open() {
    std::error_code ignored;  // what is missing is told by open()
    if (const auto folder = std::filesystem::path(prefix_).parent_path(); !folder.empty())
      std::filesystem::create_directories(folder, ignored);
    const std::string base = new_path(prefix_);
    for (int number = 0; fd_ < 0; ++number) {
      path_ = base + (number == 0 ? "" : "-" + std::to_string(number)) + ".tfrecord";
      fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      if (fd_ < 0 && errno != EEXIST) return failed("made", path_);
    }
    size_ = 0;
    return ok_status();
  }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  const std::string prefix_;
  std::string path_;
  int fd_ = -1;
  off_t size_ = 0;
};

RecordFiles::RecordFiles(MetricRegistry& metrics) : metrics_(metrics) {}

RecordFiles::~RecordFiles() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void RecordFiles::record(const std::string& model, const std::string& file_prefix, std::string bytes) {
  const MutexLock lock(mutex_);
  if (bytes.size() > kMostWaiting - waiting_bytes_) return counts_of(model).dropped->add();
  waiting_bytes_ += bytes.size();
  waiting_.push_back({model, file_prefix, std::move(bytes)});
  if (!writer_.joinable()) writer_ = std::thread([this] { write_for_ever(); });
  wake_.notify_one();
}

RecordFiles::Counters& RecordFiles::counts_of(const std::string& model) {
  const auto [it, made] = counts_.try_emplace(model);
  if (made) {
    const auto counter = [&](const char* result) {
      return metrics_.counter("modelmill_request_log_records_total", "Requests that were drawn for a request log.",
                              {{"model", model}, {"result", result}});
    };
    it->second = {counter("written"), counter("dropped"), counter("failed")};
  }
  return it->second;
}

std::map<std::string, RequestRecorder::Counts> RecordFiles::counts() const {
  const auto number = [](const std::shared_ptr<Counter>& counter) { return static_cast<uint64_t>(counter->value()); };
  std::map<std::string, Counts> out;
  const MutexLock lock(mutex_);
  for (const auto& [model, its] : counts_) out[model] = {number(its.written), number(its.dropped), number(its.failed)};
  return out;
}

void RecordFiles::write_for_ever() {
  while (true) {
    std::deque<Waiting> records;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && waiting_.empty()) wake_.wait(mutex_);
      if (waiting_.empty()) return;
      records = std::exchange(waiting_, {});
    }
    uint64_t bytes = 0;
    for (const Waiting& record : records) bytes += record.bytes.size();
    write(std::move(records));
    const MutexLock lock(mutex_);
    waiting_bytes_ -= bytes;  // what is being written takes its memory too
  }
}

void RecordFiles::write(std::deque<Waiting> records) {
  const TimePoint now = Clock::now();
  std::erase_if(files_, [now](const auto& file) { return now - file.second->used > kKeptOpen; });
  for (const Waiting& record : records) {
    auto& file = files_[record.file_prefix];
    if (!file) file = std::make_unique<File>(record.file_prefix);
    file->used = now;
    std::string framed;
    append_tf_record(framed, record.bytes);
    const Status status = file->append(framed);
    if (!status.ok()) tell_failure(status.message());
    const MutexLock lock(mutex_);
    const Counters& counts = counts_of(record.model);
    (status.ok() ? counts.written : counts.failed)->add();
  }
}

void RecordFiles::tell_failure(const std::string& what) {
  const TimePoint now = Clock::now();
  if (told_ != TimePoint{} && now - told_ < kTellEvery) return;
  told_ = now;
  Log::error("requests are not logged", {{"reason", what}});
}

}  // namespace modelmill
