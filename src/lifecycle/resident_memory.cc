#include "lifecycle/resident_memory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace modelmill {

namespace fs = std::filesystem;

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  uint64_t resident = 0;
  if (!(statm >> pages >> resident)) return 0;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

uint64_t bytes_on_disk(const FoundVersion& version) {
  std::error_code error;
  if (!version.file.empty()) {
    const auto size = fs::file_size(version.file, error);
    return error ? 0 : size;
  }
  uint64_t bytes = 0;
  for (fs::recursive_directory_iterator it(version.directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) bytes += it->file_size(ignored);
  }
  return bytes;
}

}  // namespace modelmill
