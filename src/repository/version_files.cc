#include "repository/version_files.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPythonCache = "__pycache__";

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

/// Of a folder only that it is there and which one it is: its times move with entries that don't count.
FileStamp stamp_of(std::string path, const struct stat& found) {
  if (S_ISDIR(found.st_mode)) return {std::move(path), found.st_dev, found.st_ino, 0, 0, 0};
  return {std::move(path),           found.st_dev, found.st_ino, found.st_size, nanoseconds(found.st_mtim),
          nanoseconds(found.st_ctim)};
}

Status unreadable(const std::string& path, int error) {
  const std::string why = "can't look at '" + path + "': " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return unavailable(why + "; it vanished, or is being replaced");
  return {Code::kPermissionDenied, why};
}

class Look {
 public:
  explicit Look(const FingerprintOptions& options) : options_(options) {}

  Status folder(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return unreadable(path, errno);
    return add(path, found, 0);
  }

  /// A file outside the folder. One that is not there is noted as that, so that its coming is a change.
  Status file(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) == 0) {
      files_.push_back(stamp_of(path, found));
      return ok_status();
    }
    if (errno != ENOENT && errno != ENOTDIR) return unreadable(path, errno);
    files_.push_back({path});
    return ok_status();
  }

  VersionFingerprint take() {
    std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return {std::move(files_)};
  }

 private:
  Status add(const std::string& path, const struct stat& found, size_t depth) {
    if (files_.size() >= options_.max_entries)
      return resource_exhausted("there are more than " + std::to_string(options_.max_entries) +
                                " files, too many for one version to be watched for changes; the first beyond is '" +
                                path + "'");
    files_.push_back(stamp_of(path, found));
    if (!S_ISDIR(found.st_mode) || !folders_.emplace(found.st_dev, found.st_ino).second) return ok_status();
    if (depth >= options_.max_depth)
      return resource_exhausted("folder '" + path + "' is more than " + std::to_string(options_.max_depth) +
                                " levels deep, too deep to be watched for changes");
    MM_ASSIGN_OR_RETURN(const std::vector<std::string> names, names_in(path));
    for (const std::string& name : names) MM_RETURN_IF_ERROR(add_entry(path + "/" + name, depth + 1));
    return ok_status();
  }

  Status add_entry(const std::string& path, size_t depth) {
    struct stat found {};
    if (::stat(path.c_str(), &found) == 0) return add(path, found, depth);
    const int error = errno;
    // A link that leads nowhere stays for what it is: whether that matters is for who reads the model to say.
    if ((error == ENOENT || error == ELOOP) && ::lstat(path.c_str(), &found) == 0) return add(path, found, depth);
    return unreadable(path, error);
  }

  /// Sorted, so that which of two links to a folder is followed doesn't hang on the file system's order.
  Result<std::vector<std::string>> names_in(const std::string& path) const {
    const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
    if (folder == nullptr) return unreadable(path, errno);
    std::vector<std::string> names;
    // One more than may be counted is enough to know that there are too many.
    while (names.size() <= options_.max_entries) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr && errno != 0) return unreadable(path, errno);
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      if (name != "." && name != ".." && name != kPythonCache) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const FingerprintOptions& options_;
  std::vector<FileStamp> files_;
  std::set<std::pair<dev_t, ino_t>> folders_;
};

/// A model file given by itself, and where the formats keep the rest of it.
Status look_at_single(Look& look, const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return unreadable(file, errno);
  MM_RETURN_IF_ERROR(look.file(file));
  MM_RETURN_IF_ERROR(look.file(file + ".data"));
  MM_RETURN_IF_ERROR(look.file(file + "_data"));
  const fs::path path(file);
  return path.extension() == ".xml" ? look.file(fs::path(path).replace_extension(".bin").string()) : ok_status();
}

}  // namespace

Result<VersionFingerprint> fingerprint(const FoundModel& model, const FoundVersion& version,
                                       const FingerprintOptions& options) {
  const std::string what = "model '" + model.name + "', version " + std::to_string(version.version);
  Look look(options);
  const Status looked = version.file.empty() ? look.folder(version.directory) : look_at_single(look, version.file);
  if (!looked.ok()) return looked.with_context(what);
  if (options.with_configuration && !model.config_file.empty())
    if (const Status status = look.file(model.config_file); !status.ok()) return status.with_context(what);
  for (const std::string& name : options.side_files) {
    const Result<std::string> path = path_inside(model.directory, name);
    const Status status = path.ok() ? look.file(*path) : path.status();
    if (!status.ok()) return status.with_context(what);
  }
  return look.take();
}

std::string changed_file(const VersionFingerprint& before, const VersionFingerprint& after) {
  auto a = before.files.begin();
  auto b = after.files.begin();
  while (a != before.files.end() && b != after.files.end() && *a == *b) ++a, ++b;
  if (a == before.files.end()) return b == after.files.end() ? std::string() : b->path;
  return b == after.files.end() ? a->path : std::min(a->path, b->path);
}

}  // namespace modelmill
