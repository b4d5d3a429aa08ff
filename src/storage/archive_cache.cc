#include "storage/archive_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "base/private_file.h"
#include "storage/cache_room.h"
#include "storage/checksum.h"
#include "storage/disk_error.h"
#include "storage/folder_sink.h"
#include "storage/unpacked_trees.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr size_t kArchiveReadBytes = size_t{1} << 20;
constexpr int kTries = 3;  // while others remove what was just there

Result<std::string> sha256_of(const std::string& path, const std::atomic<bool>& cancel) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return not_found("archive '" + path + "' can't be read: " + std::strerror(errno));
  Digest digest(ChecksumKind::kSha256);
  std::string buffer(kArchiveReadBytes, '\0');
  Status status;
  while (status.ok()) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      status = unavailable("archive '" + path + "' can't be read: " + std::strerror(errno));
    else if (cancel)
      status = cancelled("reading archive '" + path + "' was cancelled");
    else
      digest.update({buffer.data(), static_cast<size_t>(n)});
  }
  ::close(fd);
  if (!status.ok()) return status;
  return checksum_hex(digest.finish());
}

/// All that was written to the folder's file system is on the disk.
Status flush(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int error = fd < 0 || ::syncfs(fd) != 0 ? errno : 0;
  if (fd >= 0) ::close(fd);
  return error == 0 ? ok_status() : disk_error(folder, "written", error);
}

}  // namespace

UnpackedArchive::~UnpackedArchive() {
  lock_.reset();
  remove_unwanted(paths_);
}

Result<std::unique_ptr<ArchiveCache>> ArchiveCache::open(const std::string& folder, uint64_t max_bytes,
                                                         ArchiveLimits limits) {
  std::unique_ptr<ArchiveCache> cache(new ArchiveCache(folder, max_bytes, limits));
  const CachePaths& paths = cache->paths_;
  for (const std::string& path : {folder, paths.partials(), paths.unpacked(), paths.archives()})
    if (const Status made = make_private_folder(path); !made.ok())
      return unavailable("archives can't be unpacked in the model cache '" + folder + "': " + made.message() +
                         "; name another folder with --model-cache");
  cache->tidy();
  return cache;
}

/// What processes that died have left: each unpacks with a claim, and removes under one.
void ArchiveCache::tidy() const {
  remove_unwanted(paths_);
  remove_note_draft(paths_);
  std::error_code error;
  for (fs::directory_iterator it(paths_.partials(), error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const size_t dash = name.find('-');
    if (!name.starts_with("unpack-") && !name.starts_with("gone-")) continue;
    const std::string lock_path = unpacked_lock(paths_, name.substr(dash + 1));
    const auto lock = FileLock::try_take(lock_path, FileLock::Kind::kExclusive);
    if (!lock.ok() || !*lock) continue;
    std::error_code ignored;
    fs::remove_all(it->path(), ignored);
    if (!is_unpacked(paths_, name.substr(dash + 1))) fs::remove(lock_path, ignored);
  }
}

Result<std::shared_ptr<const UnpackedArchive>> ArchiveCache::use(const Request& wanted, const std::string& id) const {
  const std::string path = unpacked_lock(paths_, id);
  MM_ASSIGN_OR_RETURN(auto lock, FileLock::try_take(path, FileLock::Kind::kShared));
  if (!lock || !is_unpacked(paths_, id)) return std::shared_ptr<const UnpackedArchive>();
  // When it was opened says which of those that nobody uses goes first.
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  if (find_unpacked(paths_, wanted.archive, wanted.state) != id)
    MM_RETURN_IF_ERROR(note_unpacked(paths_, wanted.archive, wanted.state, id));
  return std::make_shared<const UnpackedArchive>(paths_, unpacked_folder(paths_, id) + '/' + wanted.name,
                                                 *std::move(lock));
}

Result<std::string> ArchiveCache::id_of(const Request& wanted) const {
  std::error_code error;
  if (auto known = find_unpacked(paths_, wanted.archive, wanted.state))
    if (fs::is_directory(unpacked_folder(paths_, *known) + '/' + wanted.name, error)) return *std::move(known);
  MM_ASSIGN_OR_RETURN(const std::string sum, sha256_of(wanted.archive, wanted.cancelled));
  if (archive_state(wanted.archive) != wanted.state) return changed(wanted);
  return checksum_hex(digest_of(ChecksumKind::kSha256, sum + '/' + wanted.name)).substr(0, 32);
}

Result<std::shared_ptr<const UnpackedArchive>> ArchiveCache::unpack(const std::string& given, const std::string& name,
                                                                    const std::atomic<bool>& cancel) const {
  std::error_code error;
  const fs::path real = fs::canonical(given, error);
  if (error) return not_found("archive '" + given + "' can't be read: " + error.message());
  const Request wanted{real.string(), archive_state(real.string()), name, cancel};
  MM_ASSIGN_OR_RETURN(const std::string id, id_of(wanted));
  for (int unpacked = 0; unpacked < kTries;) {
    MM_ASSIGN_OR_RETURN(auto there, use(wanted, id));
    if (there) return there;
    MM_ASSIGN_OR_RETURN(auto claim, FileLock::try_take(unpacked_lock(paths_, id), FileLock::Kind::kExclusive));
    if (claim) {
      if (!is_unpacked(paths_, id)) MM_RETURN_IF_ERROR(unpack_as(id, wanted));
      MM_RETURN_IF_ERROR(note_unpacked(paths_, wanted.archive, wanted.state, id));
      ++unpacked;
    } else {  // somebody unpacks it: who is done with that shares the lock, or lets it go
      MM_ASSIGN_OR_RETURN(const auto done,
                          FileLock::take_unless(cancel, unpacked_lock(paths_, id), FileLock::Kind::kShared));
      if (!done) return cancelled("waiting for another unpacking of '" + given + "' was cancelled");
    }
  }
  return unavailable("archive '" + given +
                     "': what was unpacked of it is removed again and again from the model cache '" + paths_.folder +
                     "'; allow it more, or serve fewer models");
}

Status ArchiveCache::changed(const Request& wanted) {
  return {Code::kAborted, "archive '" + wanted.archive + "' changed while it was read; load it again"};
}

/// The caller has the claim.
Status ArchiveCache::unpack_as(const std::string& id, const Request& wanted) const {
  if (max_bytes_ > 0) MM_RETURN_IF_ERROR(make_room(wanted));
  const std::string on_its_way = paths_.partials() + "/unpack-" + id;
  const std::string folder = on_its_way + '/' + wanted.name;
  std::error_code error;
  fs::remove_all(on_its_way, error);
  fs::create_directories(folder, error);
  if (error) return disk_error(on_its_way, "made", error.value());
  FolderSink sink(folder);
  Status status = read_archive(wanted.archive, limits_, sink, wanted.cancelled).status();
  if (status.ok() && archive_state(wanted.archive) != wanted.state) status = changed(wanted);
  if (status.ok()) status = flush(on_its_way);
  if (status.ok() && ::rename(on_its_way.c_str(), unpacked_folder(paths_, id).c_str()) != 0)
    status = disk_error(unpacked_folder(paths_, id), "made", errno);
  if (!status.ok()) fs::remove_all(on_its_way, error);
  return status;
}

/// How much an archive holds is known when it has been read.
Status ArchiveCache::make_room(const Request& wanted) const {
  NoSink sink;
  MM_ASSIGN_OR_RETURN(const ArchiveContent content, read_archive(wanted.archive, limits_, sink, wanted.cancelled));
  MM_ASSIGN_OR_RETURN(const FileLock lock, FileLock::take(paths_.lock(), FileLock::Kind::kExclusive));
  const Status room = make_cache_room(paths_, max_bytes_, content.bytes);
  return room.ok() ? room : room.with_context("archive '" + wanted.archive + "'");
}

}  // namespace modelmill
