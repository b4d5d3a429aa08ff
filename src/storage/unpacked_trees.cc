#include "storage/unpacked_trees.h"

#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "base/private_file.h"
#include "storage/checksum.h"
#include "storage/disk_error.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = ".lock";
constexpr const char* kNoteDraft = "/note";

/// An entry of CACHE/archives, a line each.
struct Note {
  std::string archive;
  std::string state;
  std::string id;
};

std::string note_path(const CachePaths& paths, const std::string& archive) {
  return paths.archives() + '/' + checksum_hex(digest_of(ChecksumKind::kSha256, archive));
}

Note read_note(const std::string& path) {
  Note note;
  std::ifstream file(path);
  std::getline(file, note.archive);
  std::getline(file, note.state);
  std::getline(file, note.id);
  return note;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  return names;
}

}  // namespace

std::string archive_state(const std::string& archive) {
  struct stat info {};
  if (::stat(archive.c_str(), &info) != 0) return {};
  std::string state;
  for (const int64_t number :
       {static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino), static_cast<int64_t>(info.st_size),
        static_cast<int64_t>(info.st_mtim.tv_sec), static_cast<int64_t>(info.st_mtim.tv_nsec),
        static_cast<int64_t>(info.st_ctim.tv_sec), static_cast<int64_t>(info.st_ctim.tv_nsec)})
    state += std::to_string(number) + ' ';
  return state;
}

std::optional<std::string> find_unpacked(const CachePaths& paths, const std::string& archive,
                                         const std::string& state) {
  Note note = read_note(note_path(paths, archive));
  if (state.empty() || note.archive != archive || note.state != state || !is_unpacked(paths, note.id))
    return std::nullopt;
  return std::move(note.id);
}

Status note_unpacked(const CachePaths& paths, const std::string& archive, const std::string& state,
                     const std::string& id) {
  const std::string path = note_path(paths, archive), draft = paths.partials() + kNoteDraft;
  MM_ASSIGN_OR_RETURN(const FileLock lock, FileLock::take(paths.lock(), FileLock::Kind::kExclusive));
  MM_RETURN_IF_ERROR(write_private_file(draft, archive + '\n' + state + '\n' + id + '\n'));
  return ::rename(draft.c_str(), path.c_str()) == 0 ? ok_status() : disk_error(path, "made", errno);
}

void remove_note_draft(const CachePaths& paths) {
  const auto lock = FileLock::try_take(paths.lock(), FileLock::Kind::kExclusive);
  std::error_code ignored;
  if (lock.ok() && *lock) fs::remove(paths.partials() + kNoteDraft, ignored);
}

std::string unpacked_folder(const CachePaths& paths, const std::string& id) { return paths.unpacked() + '/' + id; }
std::string unpacked_lock(const CachePaths& paths, const std::string& id) { return unpacked_folder(paths, id) + kLock; }

bool is_unpacked(const CachePaths& paths, const std::string& id) {
  std::error_code error;
  return !id.empty() && fs::is_directory(unpacked_folder(paths, id), error);
}

std::vector<std::string> unpacked_ids(const CachePaths& paths) {
  std::vector<std::string> ids = names_in(paths.unpacked());
  std::erase_if(ids, [](const std::string& name) { return name.ends_with(kLock); });
  return ids;
}

bool remove_unpacked(const CachePaths& paths, const std::string& id) {
  const auto lock = FileLock::try_take(unpacked_lock(paths, id), FileLock::Kind::kExclusive);
  if (!lock.ok() || !*lock) return false;
  const std::string going = paths.partials() + "/gone-" + id;
  std::error_code error;
  fs::remove_all(going, error);
  fs::rename(unpacked_folder(paths, id), going, error);
  const bool gone = !error;
  fs::remove_all(going, error);
  fs::remove(unpacked_lock(paths, id), error);
  return gone;
}

void remove_unwanted(const CachePaths& paths) {
  std::set<std::string> wanted;
  std::error_code error;
  for (const std::string& name : names_in(paths.archives())) {
    const std::string path = paths.archives() + '/' + name;
    const Note note = read_note(path);
    if (!note.state.empty() && archive_state(note.archive) == note.state)
      wanted.insert(note.id);
    else
      fs::remove(path, error);
  }
  for (const std::string& id : unpacked_ids(paths))
    if (!wanted.contains(id)) remove_unpacked(paths, id);
}

uint64_t unpacked_bytes(const CachePaths& paths) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(paths.unpacked(), error), end; !error && it != end; it.increment(error)) {
    struct stat info {};
    if (::lstat(it->path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) bytes += static_cast<uint64_t>(info.st_size);
  }
  return bytes;
}

}  // namespace modelmill
