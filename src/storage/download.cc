#include "storage/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "storage/disk_error.h"
#include "storage/parallel_for.h"

namespace modelmill {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

/// The sums of a file, each of its kind, in one reading.
Status sum_up(const std::string& path, std::vector<Digest>& digests, const std::atomic<bool>& cancel) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return disk_error(path, "read", errno);
  std::string buffer(kReadBytes, '\0');
  Status status;
  while (status.ok()) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      status = disk_error(path, "read", errno);
    else if (cancel)
      status = cancelled("the check of '" + path + "' was cancelled");
    else
      for (Digest& digest : digests) digest.update({buffer.data(), static_cast<size_t>(n)});
  }
  ::close(fd);
  return status;
}

/// The SHA-256 of the file, once it is what the checksums say.
Result<std::string> verify(const std::string& path, const RemoteObject& object, const std::vector<Checksum>& wanted,
                           const std::atomic<bool>& cancel) {
  std::vector<Digest> digests;
  digests.emplace_back(ChecksumKind::kSha256);
  for (const Checksum& checksum : wanted) digests.emplace_back(checksum.kind);
  MM_RETURN_IF_ERROR(sum_up(path, digests, cancel));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Checksum got = digests[i + 1].finish();
    if (got == wanted[i]) continue;
    return Status(Code::kDataLoss, "what came of '" + object.shown + "' has " + checksum_name(got.kind) + " " +
                                       checksum_hex(got) + ", expected " + checksum_hex(wanted[i]) +
                                       "; it was damaged on its way or where it is stored: upload it again");
  }
  return checksum_hex(digests[0].finish());
}

/// One object on its way into the cache.
class Load {
 public:
  Load(ObjectStore& store, const RemoteObject& object, PartialFile& partial, const DownloadOptions& options,
       const std::atomic<bool>& cancel)
      : store_(store), object_(object), partial_(partial), options_(options), cancel_(cancel) {}

  Status run() {
    if (!object_.size) return load_whole();
    options_.on_bytes(partial_.bytes_done());
    std::vector<size_t> missing;
    for (size_t i = 0; i < partial_.chunks(); ++i)
      if (!partial_.is_done(i)) missing.push_back(i);
    return parallel_for(missing.size(), options_.parallelism, [&](size_t i) { return load_chunk(missing[i]); });
  }

 private:
  Status stopped() const { return cancelled("the download of '" + object_.shown + "' was cancelled"); }

  Status load_chunk(size_t chunk) {
    if (cancel_) return stopped();
    const ByteRange range{partial_.chunk_begin(chunk), partial_.chunk_size(chunk)};
    uint64_t told = 0;  // of this chunk, over all tries
    if (range.size > 0) {
      const auto sink = [&](uint64_t offset, std::string_view piece) -> Status {
        if (cancel_) return stopped();
        const uint64_t end = offset + piece.size() - range.begin;
        if (offset < range.begin || end > range.size) return too_long();
        MM_RETURN_IF_ERROR(partial_.write(offset, piece));
        if (end > told) options_.on_bytes(end - told);
        told = std::max(told, end);
        return ok_status();
      };
      const bool whole = !object_.ranges;
      MM_RETURN_IF_ERROR(store_.read(object_, whole ? std::nullopt : std::optional(range), sink, cancel_));
    }
    if (told != range.size)
      return unavailable("'" + object_.shown + "': " + std::to_string(told) + " of " + std::to_string(range.size) +
                         " bytes came from byte " + std::to_string(range.begin) + " on");
    return partial_.mark_done(chunk);
  }

  Status load_whole() {
    uint64_t end = 0;  // of the last try
    const auto sink = [&](uint64_t offset, std::string_view piece) -> Status {
      if (cancel_) return stopped();
      end = offset + piece.size();
      options_.on_bytes(piece.size());
      return partial_.write(offset, piece);
    };
    MM_RETURN_IF_ERROR(store_.read(object_, std::nullopt, sink, cancel_));
    MM_RETURN_IF_ERROR(partial_.cut(end));
    return partial_.mark_done(0);
  }

  Status too_long() const {
    return Status(Code::kAborted, "'" + object_.shown + "' is longer than the " + std::to_string(*object_.size) +
                                      " bytes that it had when it was looked at");
  }

  ObjectStore& store_;
  const RemoteObject& object_;
  PartialFile& partial_;
  const DownloadOptions& options_;
  const std::atomic<bool>& cancel_;
};

std::optional<std::string> known_sum(const RemoteObject& object) {
  for (const Checksum& checksum : object.checksums)
    if (checksum.kind == ChecksumKind::kSha256) return checksum_hex(checksum);
  return std::nullopt;
}

/// True when the cache had it.
Result<bool> from_cache(const RemoteObject& object, const BlobCache& cache, const std::string& target,
                        const DownloadOptions& options) {
  std::optional<std::string> sum = known_sum(object);
  if (!sum) sum = cache.find(object.shown, object.version);
  if (!sum || !cache.has(*sum)) return false;
  const Status linked = cache.link(*sum, target);
  if (linked.code() == Code::kNotFound) return false;  // removed a moment ago
  MM_RETURN_IF_ERROR(linked);
  options.on_bytes(object.size.value_or(0));
  return true;
}

}  // namespace

Status download(ObjectStore& store, const RemoteObject& object, const BlobCache& cache, const std::string& target,
                const DownloadOptions& options, const std::atomic<bool>& cancel) {
  MM_ASSIGN_OR_RETURN(bool had, from_cache(object, cache, target, options));
  if (had) return ok_status();
  const uint64_t chunk = object.ranges ? options.chunk_bytes : std::max<uint64_t>(1, object.size.value_or(1));
  const PartialFile::Identity identity{object.shown, object.version, object.size, chunk};
  MM_ASSIGN_OR_RETURN(const FileLock claim, cache.claim(identity, cancel));
  // Another process may have loaded it while this one waited.
  MM_ASSIGN_OR_RETURN(had, from_cache(object, cache, target, options));
  if (had) return ok_status();
  MM_ASSIGN_OR_RETURN(PartialFile partial, cache.begin(identity));
  MM_ASSIGN_OR_RETURN(std::vector<Checksum> wanted, store.more_checksums(object, cancel));
  wanted.insert(wanted.end(), object.checksums.begin(), object.checksums.end());
  Status status = Load(store, object, partial, options, cancel).run();
  if (status.ok()) {
    const Result<std::string> sum = verify(partial.data_path(), object, wanted, cancel);
    if (sum.ok()) return cache.keep(std::move(partial), *sum, target);
    status = sum.status();
  }
  if (status.code() == Code::kAborted || status.code() == Code::kDataLoss) cache.discard(partial);
  return status;
}

}  // namespace modelmill
