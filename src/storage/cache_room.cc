#include "storage/cache_room.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "storage/file_lock.h"
#include "storage/partial_file.h"
#include "storage/unpacked_trees.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

struct Entry {
  enum class Kind { kBlob, kPartial };

  Kind kind;
  std::string path;  // of a partial file without its ending
  uint64_t bytes;
  std::pair<time_t, long> used;
  bool linked;
};

std::pair<time_t, long> access_time(const struct stat& info) { return {info.st_atim.tv_sec, info.st_atim.tv_nsec}; }

std::vector<std::string> paths_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().string());
  return names;
}

std::vector<Entry> entries_of(const CachePaths& paths) {
  std::vector<Entry> entries;
  struct stat info {};
  for (const std::string& folder : paths_in(paths.blobs()))
    for (const std::string& path : paths_in(folder))
      if (::stat(path.c_str(), &info) == 0)
        entries.push_back(
            {Entry::Kind::kBlob, path, static_cast<uint64_t>(info.st_size), access_time(info), info.st_nlink > 1});
  for (const std::string& path : paths_in(paths.partials()))
    if (path.ends_with(".part") && ::stat(path.c_str(), &info) == 0)
      entries.push_back({Entry::Kind::kPartial, path.substr(0, path.size() - 5), static_cast<uint64_t>(info.st_size),
                         access_time(info), false});
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  return entries;
}

uint64_t sum_of(const std::vector<Entry>& entries) {
  uint64_t sum = 0;
  for (const Entry& entry : entries) sum += entry.bytes;
  return sum;
}

/// False when it is in use.
bool remove_entry(const Entry& entry) {
  std::error_code error;
  if (entry.kind == Entry::Kind::kBlob) return !entry.linked && fs::remove(entry.path, error) && !error;
  const auto lock = FileLock::try_take(entry.path + ".lock", FileLock::Kind::kExclusive);
  if (!lock.ok() || !*lock) return false;
  PartialFile::remove(entry.path);
  fs::remove(entry.path + ".lock", error);
  return true;
}

/// Of those that no process uses, the one that was opened least recently; false when there is none.
bool remove_unused_tree(const CachePaths& paths) {
  std::vector<std::pair<std::pair<time_t, long>, std::string>> trees;
  struct stat info {};
  for (const std::string& folder : {paths.trees(), paths.unpacked()})
    for (const std::string& path : paths_in(folder))
      if (!path.ends_with(".lock") && ::stat((path + ".lock").c_str(), &info) == 0)
        trees.emplace_back(std::pair(info.st_mtim.tv_sec, info.st_mtim.tv_nsec), path);
  std::sort(trees.begin(), trees.end());
  for (const auto& [used, path] : trees) {
    if (path.starts_with(paths.unpacked())) {
      if (remove_unpacked(paths, fs::path(path).filename().string())) return true;
      continue;
    }
    const auto lock = FileLock::try_take(path + ".lock", FileLock::Kind::kExclusive);
    if (!lock.ok() || !*lock) continue;
    std::error_code error;
    fs::remove_all(path, error);
    fs::remove(path + ".lock", error);
    return true;
  }
  return false;
}

}  // namespace

uint64_t cache_bytes(const CachePaths& paths) { return sum_of(entries_of(paths)) + unpacked_bytes(paths); }

Status make_cache_room(const CachePaths& paths, uint64_t max_bytes, uint64_t needed) {
  uint64_t used = 0;
  do {
    const std::vector<Entry> entries = entries_of(paths);
    used = sum_of(entries) + unpacked_bytes(paths);
    for (const Entry& entry : entries) {
      if (needed <= max_bytes && used <= max_bytes - needed) return ok_status();
      if (needed <= max_bytes && remove_entry(entry)) used -= entry.bytes;
    }
    if (needed <= max_bytes && used <= max_bytes - needed) return ok_status();
  } while (needed <= max_bytes && remove_unused_tree(paths));
  return resource_exhausted("the model cache '" + paths.folder + "' may hold " + std::to_string(max_bytes) +
                            " bytes: " + std::to_string(used) + " are in use, and " + std::to_string(needed) +
                            " more are needed; allow it more, or serve fewer models");
}

}  // namespace modelmill
