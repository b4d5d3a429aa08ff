#include "lifecycle/learned_files.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/private_file.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostOfLearnedFile = uint64_t{1} << 20;

}  // namespace

std::optional<std::string> LearnedFiles::read(const std::string& key) const {
  if (!keeps() || key.empty()) return std::nullopt;
  Result<std::string> text = read_file(path_of(key), kMostOfLearnedFile);
  if (!text.ok()) return std::nullopt;
  return *std::move(text);
}

Status LearnedFiles::write(const std::string& key, const std::string& text) const {
  if (!keeps() || key.empty()) return ok_status();
  MM_RETURN_IF_ERROR(make_private_folder(directory_));
  const std::string file = path_of(key);
  std::error_code error;
  const bool fresh = !fs::exists(file, error);
  // Written aside and renamed: no one reads half of it.
  const std::string draft = file + ".new";
  Status status = write_private_file(draft, text);
  if (status.ok() && ::rename(draft.c_str(), file.c_str()) != 0)
    status = unavailable("file '" + file + "' of the server's state cannot be made: " + std::strerror(errno));
  if (!status.ok()) {
    ::unlink(draft.c_str());
    return status;
  }
  if (fresh) forget_oldest();
  return ok_status();
}

void LearnedFiles::forget_oldest() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != suffix_) continue;
    std::error_code gone;
    const auto time = it->last_write_time(gone);
    if (!gone) files.emplace_back(time, it->path());
  }
  if (files.size() <= kMostFiles) return;
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size() - kMostFiles; ++i) fs::remove(files[i].second, error);
}

}  // namespace modelmill
