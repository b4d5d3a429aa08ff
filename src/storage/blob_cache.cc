#include "storage/blob_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/private_file.h"
#include "storage/cache_room.h"
#include "storage/checksum.h"
#include "storage/disk_error.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLinkOnItsWay = "link-";

std::string id_of(const std::string& object, const std::string& version) {
  return checksum_hex(digest_of(ChecksumKind::kSha256, object + '\n' + version));
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The sum that an index entry names; empty when it is none.
std::string read_entry(const std::string& path) {
  std::ifstream file(path);
  std::string sha256;
  std::getline(file, sha256);
  return is_sha256(sha256) ? sha256 : std::string();
}

/// Only access times say when a blob was last wanted; its modification time is what a tree's readers compare. The time
/// is asked for here, because the kernel's own stamps are milliseconds apart.
void touch(const std::string& path) {
  timespec times[2] = {{}, {0, UTIME_OMIT}};
  ::clock_gettime(CLOCK_REALTIME, &times[0]);
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? disk_error(folder.string(), "made", error.value()) : ok_status();
}

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::open(const std::string& folder, uint64_t max_bytes) {
  std::unique_ptr<BlobCache> cache(new BlobCache(folder, max_bytes));
  const CachePaths& paths = cache->paths_;
  for (const std::string& path : {folder, paths.blobs(), paths.index(), paths.partials(), paths.trees()})
    if (const Status made = make_private_folder(path); !made.ok())
      return unavailable("the model cache '" + folder + "' can't be used: " + made.message());
  MM_ASSIGN_OR_RETURN(const FileLock lock, cache->lock());
  cache->tidy();
  return cache;
}

/// What processes that died have left: links on their way (made only under the lock), and entries of blobs that went.
void BlobCache::tidy() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths_.partials(), error))
    if (entry.path().filename().string().starts_with(kLinkOnItsWay)) fs::remove(entry.path(), error);
  for (const auto& entry : fs::directory_iterator(paths_.index(), error))
    if (!has(read_entry(entry.path().string()))) fs::remove(entry.path(), error);
}

std::optional<std::string> BlobCache::find(const std::string& object, const std::string& version) const {
  if (version.empty()) return std::nullopt;
  std::string sha256 = read_entry(paths_.index() + '/' + id_of(object, version));
  if (!has(sha256)) return std::nullopt;
  return sha256;
}

bool BlobCache::has(const std::string& sha256) const {
  return is_sha256(sha256) && ::access(paths_.blob(sha256).c_str(), F_OK) == 0;
}

bool BlobCache::is_linked(const std::string& sha256, const std::string& target) const {
  struct stat blob {
  }, there{};
  return ::stat(paths_.blob(sha256).c_str(), &blob) == 0 && ::lstat(target.c_str(), &there) == 0 &&
         blob.st_ino == there.st_ino && blob.st_dev == there.st_dev;
}

std::string BlobCache::partial_path(const PartialFile::Identity& identity) const {
  return paths_.partials() + '/' + id_of(identity.object, identity.version);
}

Result<FileLock> BlobCache::claim(const PartialFile::Identity& identity, const std::atomic<bool>& cancel) const {
  const std::string path = partial_path(identity) + ".lock";
  MM_ASSIGN_OR_RETURN(auto lock, FileLock::take_unless(cancel, path, FileLock::Kind::kExclusive));
  if (lock) return *std::move(lock);
  return cancelled("waiting for another download of '" + identity.object + "' was cancelled");
}

Result<PartialFile> BlobCache::begin(const PartialFile::Identity& identity) const {
  const std::string path = partial_path(identity);
  if (auto partial = PartialFile::resume(path, identity)) return *std::move(partial);
  PartialFile::remove(path);
  MM_ASSIGN_OR_RETURN(const FileLock lock, this->lock());
  if (max_bytes_ > 0) {
    const Status room = make_cache_room(paths_, max_bytes_, identity.size.value_or(0));
    if (!room.ok()) return room.with_context("'" + identity.object + "'");
  }
  return PartialFile::create(path, identity);
}

void BlobCache::discard(const PartialFile& partial) const {
  PartialFile::remove(partial_path(partial.identity()));
  std::error_code ignored;
  fs::remove(partial_path(partial.identity()) + ".lock", ignored);
}

Status BlobCache::keep(PartialFile partial, const std::string& sha256, const std::string& target) const {
  MM_RETURN_IF_ERROR(partial.sync());
  MM_ASSIGN_OR_RETURN(const FileLock lock, this->lock());
  const PartialFile::Identity& identity = partial.identity();
  if (!identity.size && max_bytes_ > 0) MM_RETURN_IF_ERROR(make_cache_room(paths_, max_bytes_, 0));
  const std::string blob = paths_.blob(sha256), path = partial_path(identity);
  MM_RETURN_IF_ERROR(make_folder(fs::path(blob).parent_path()));
  // The entry comes first: alone it says nothing, and the partial file is still there to become the blob.
  if (!identity.version.empty()) {
    const std::string entry = paths_.index() + '/' + id_of(identity.object, identity.version);
    MM_RETURN_IF_ERROR(write_private_file(path + ".entry", sha256 + '\n'));
    if (::rename((path + ".entry").c_str(), entry.c_str()) != 0) return disk_error(entry, "made", errno);
  }
  if (!has(sha256)) {
    if (::chmod(partial.data_path().c_str(), 0444) != 0 || ::rename(partial.data_path().c_str(), blob.c_str()) != 0)
      return disk_error(blob, "made", errno);
  }
  PartialFile::remove(path);
  std::error_code error;
  fs::remove(path + ".lock", error);
  return link_locked(sha256, target);
}

Status BlobCache::link(const std::string& sha256, const std::string& target) const {
  if (is_linked(sha256, target)) return ok_status();
  MM_ASSIGN_OR_RETURN(const FileLock lock, this->lock());
  return link_locked(sha256, target);
}

Status BlobCache::link_locked(const std::string& sha256, const std::string& target) const {
  const std::string blob = paths_.blob(sha256);
  if (is_linked(sha256, target)) return ok_status();
  if (!has(sha256)) return not_found("the blob " + sha256 + " is not in the model cache '" + paths_.folder + "'");
  MM_RETURN_IF_ERROR(make_folder(fs::path(target).parent_path()));
  touch(blob);
  // One at a time, under the lock, so one name is enough.
  const std::string fresh = paths_.partials() + '/' + kLinkOnItsWay + "next";
  ::unlink(fresh.c_str());
  if (::link(blob.c_str(), fresh.c_str()) != 0) return disk_error(target, "linked to its content", errno);
  if (::rename(fresh.c_str(), target.c_str()) == 0) return ok_status();
  Status failed = disk_error(target, "put in its place", errno);
  ::unlink(fresh.c_str());
  return failed;
}

}  // namespace modelmill
