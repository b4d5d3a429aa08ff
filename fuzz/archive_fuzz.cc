// An archive of a model: whatever it says, what comes out of it is a tree of files that stays inside its folder and
// below the limits, or an error that says why.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>

#include "base/check.h"
#include "storage/archive_reader.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

constexpr uint64_t kMostBytes = 4 << 20;
constexpr size_t kMostEntries = 100;

/// Holds the reader to what it promises of its calls.
class CheckingSink final : public ArchiveSink {
 public:
  Status folder(const std::string& path) override {
    check_path(path);
    return ok_status();
  }
  Status begin_file(const std::string& path, bool) override {
    check_path(path);
    MM_CHECK(!open_, "one file at a time");
    MM_CHECK(files_.insert(path).second, "each file comes once");
    open_ = true;
    end_ = 0;
    return ok_status();
  }
  Status write(uint64_t offset, std::string_view piece) override {
    MM_CHECK(open_ && offset >= end_, "offsets ascend");
    end_ = offset + piece.size();
    MM_CHECK(total_ + end_ <= kMostBytes, "the limit of bytes holds");
    return ok_status();
  }
  Status end_file(uint64_t size) override {
    MM_CHECK(open_ && size >= end_, "the size is that of all that was written");
    open_ = false;
    total_ += size;
    MM_CHECK(total_ <= kMostBytes, "the limit of bytes holds");
    return ok_status();
  }
  size_t files() const { return files_.size(); }
  uint64_t total() const { return total_; }

 private:
  static void check_path(const std::string& path) {
    MM_CHECK(!path.empty() && path.front() != '/' && path.back() != '/' && path.size() <= 1024, "a relative path");
    const std::string whole = '/' + path + '/';
    for (const char* part : {"/../", "/./", "//", "\n"})
      MM_CHECK(whole.find(part) == std::string::npos, "a path without detours");
    MM_CHECK(path.find('\0') == std::string::npos, "a path that is its own C string");
  }

  std::set<std::string> files_;
  bool open_ = false;
  uint64_t end_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

void archive(std::string_view input) {
  static const int file = ::memfd_create("archive", MFD_CLOEXEC);
  MM_CHECK(file >= 0 && ::ftruncate(file, 0) == 0, "there is a file in memory");
  MM_CHECK(::pwrite(file, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size()), "it takes the input");
  ArchiveLimits limits;
  limits.bytes = kMostBytes;
  limits.entries = kMostEntries;
  CheckingSink sink;
  const std::atomic<bool> never{false};
  const auto content = read_archive("/proc/self/fd/" + std::to_string(file), limits, sink, never);
  if (!content.ok()) {
    MM_CHECK(!content.status().message().empty(), "an error says why");
    return;
  }
  MM_CHECK(content->files == sink.files() && content->bytes == sink.total(), "what is told is what came");
  MM_CHECK(content->files <= kMostEntries, "the limit of entries holds");
}

}  // namespace modelmill::fuzz
