#include "storage/remote_source.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "storage/blob_cache.h"
#include "storage/download.h"
#include "storage/local_tree.h"
#include "storage/object_key.h"
#include "storage/open_store.h"
#include "storage/parallel_for.h"

namespace modelmill {
namespace {

constexpr uint64_t kSmallBytes = uint64_t{64} << 10;
constexpr int kLooks = 3;  // of one fetch, while the objects keep changing
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

/// What was seen, by the path below the tree's root: "NAME" or "NAME/1/model.onnx".
using Look = std::map<std::string, RemoteObject>;

bool is_folder_marker(const RemoteObject& object) { return object.key.ends_with('/'); }

/// Whether a model is found by this file itself, not by the folder that it is in: it stands in one of the first two
/// levels, and not below a version's number.
bool names_a_model(const std::string& key) {
  const size_t slash = key.find('/');
  if (slash == std::string::npos) return true;
  const bool in_version = key.find_first_not_of("0123456789") == slash;
  return !in_version && key.find('/', slash + 1) == std::string::npos;
}

bool is_brought_by_refresh(const RemoteObject& object) {
  return (object.size && *object.size <= kSmallBytes) || names_a_model(object.key);
}

bool same_look(const Look& a, const Look& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.version == y.second.version && x.second.size == y.second.size;
  });
}

/// Tells how far a few downloads together are, not more often than it can be read.
class ProgressCount {
 public:
  ProgressCount(const ProgressCallback& callback, std::string url, uint64_t total)
      : callback_(callback), url_(std::move(url)), total_(total) {}
  ~ProgressCount() { tell(true); }

  void add(uint64_t bytes) {
    done_.fetch_add(bytes);
    const int64_t now = to_ns(Clock::now());
    int64_t next = next_.load();
    if (now >= next && next_.compare_exchange_strong(next, now + to_ns(Duration(kProgressInterval)))) tell(false);
  }

 private:
  void tell(bool ended) const {
    if (callback_) callback_({url_, done_.load(), total_, ended});
  }

  const ProgressCallback& callback_;
  const std::string url_;
  const uint64_t total_;
  std::atomic<uint64_t> done_{0};
  std::atomic<int64_t> next_{0};
};

/// The objects as paths. INVALID_ARGUMENT names a key that can't be one.
Result<Look> to_look(std::vector<RemoteObject> objects, const std::string& name) {
  Look look;
  TreeShape shape;
  for (RemoteObject& object : objects) {
    std::string path = name;
    if (!object.key.empty()) {
      MM_RETURN_IF_ERROR(check_object_key(object.key));
      path += '/' + object.key;
    }
    if (!is_folder_marker(object)) shape.add_file(path);
    look.insert_or_assign(std::move(path), std::move(object));
  }
  MM_RETURN_IF_ERROR(shape.check());
  return look;
}

}  // namespace

struct RemoteSource::Rep {
  SourceUrl url;
  RemoteOptions options;
  std::unique_ptr<BlobCache> cache;
  std::unique_ptr<ObjectStore> store;
  std::string root;  // the tree's own folder
  std::string local_path;
  std::optional<FileLock> tree_lock;  // shared: the tree is in use

  Mutex refreshing;  // before `mutex`
  Mutex mutex;
  Look look MM_GUARDED_BY(mutex);
  bool looked MM_GUARDED_BY(mutex) = false;
  bool told MM_GUARDED_BY(mutex) = true;  // what refresh() has to tell is told

  Look current() {
    MutexLock lock(mutex);
    return look;
  }

  Status look_again(const std::atomic<bool>& cancelled);
  Status reshape(const Look& fresh);
  bool is_there(const std::string& path, const RemoteObject& object);
  Status bring(const std::vector<Look::value_type>& wanted, const std::atomic<bool>& cancelled);
  Status bring_one(const Look::value_type& wanted, size_t threads, ProgressCount& count,
                   const std::atomic<bool>& cancelled);
  Result<std::vector<Look::value_type>> below(const std::string& local);
};

Status RemoteSource::Rep::look_again(const std::atomic<bool>& cancelled) {
  MutexLock one(refreshing);
  MM_ASSIGN_OR_RETURN(std::vector<RemoteObject> objects, store->list(cancelled));
  if (!url.sha256.empty()) {
    if (objects.size() != 1 || !objects[0].key.empty())
      return invalid_argument("'" + url.shown + "' is a folder; '#sha256=' is for a URL of one file");
    objects[0].checksums.push_back(*checksum_of_hex(ChecksumKind::kSha256, url.sha256));
  }
  MM_ASSIGN_OR_RETURN(Look fresh, to_look(std::move(objects), url.name()));
  MM_RETURN_IF_ERROR(reshape(fresh));
  std::vector<Look::value_type> wanted;
  for (const auto& entry : fresh)
    if (!is_folder_marker(entry.second) && is_brought_by_refresh(entry.second)) wanted.push_back(entry);
  MM_RETURN_IF_ERROR(bring(wanted, cancelled));
  MutexLock lock(mutex);
  if (!looked || !same_look(look, fresh)) told = false;
  look = std::move(fresh);
  looked = true;
  return ok_status();
}

Status RemoteSource::Rep::reshape(const Look& fresh) {
  TreeShape shape;
  for (const auto& [path, object] : fresh) {
    if (is_folder_marker(object))
      shape.add_folder(path.substr(0, path.size() - 1));
    else
      shape.add_file(path);
  }
  MM_ASSIGN_OR_RETURN(const FileLock lock, cache->lock());
  return reshape_tree(root, shape);
}

/// What a tree has is a link to a blob; which one tells whether it is the version that was seen.
bool RemoteSource::Rep::is_there(const std::string& path, const RemoteObject& object) {
  std::optional<std::string> sum = cache->find(object.shown, object.version);
  for (const Checksum& checksum : object.checksums)
    if (checksum.kind == ChecksumKind::kSha256) sum = checksum_hex(checksum);
  return sum && cache->is_linked(*sum, root + '/' + path);
}

Status RemoteSource::Rep::bring(const std::vector<Look::value_type>& wanted, const std::atomic<bool>& cancelled) {
  std::vector<const Look::value_type*> small, large;
  uint64_t total = 0;
  for (const auto& entry : wanted) {
    if (is_there(entry.first, entry.second)) continue;
    total += entry.second.size.value_or(0);
    (entry.second.size.value_or(UINT64_MAX) <= options.chunk_bytes ? small : large).push_back(&entry);
  }
  if (small.empty() && large.empty()) return ok_status();
  ProgressCount count(options.progress, url.shown, total);
  MM_RETURN_IF_ERROR(parallel_for(small.size(), options.parallelism,
                                  [&](size_t i) { return bring_one(*small[i], 1, count, cancelled); }));
  for (const auto* entry : large) MM_RETURN_IF_ERROR(bring_one(*entry, options.parallelism, count, cancelled));
  return ok_status();
}

Status RemoteSource::Rep::bring_one(const Look::value_type& wanted, size_t threads, ProgressCount& count,
                                    const std::atomic<bool>& cancelled) {
  DownloadOptions how;
  how.chunk_bytes = options.chunk_bytes;
  how.parallelism = threads;
  how.on_bytes = [&count](uint64_t bytes) { count.add(bytes); };
  const std::string target = root + '/' + wanted.first;
  Status status = download(*store, wanted.second, *cache, target, how, cancelled);
  // Bytes can be damaged on their way once; twice they are so where they come from.
  if (status.code() == Code::kDataLoss) status = download(*store, wanted.second, *cache, target, how, cancelled);
  return status;
}

Result<std::vector<Look::value_type>> RemoteSource::Rep::below(const std::string& local) {
  std::string_view path = local;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path != local_path && !path.starts_with(local_path + '/'))
    return invalid_argument("'" + local + "' is not at or below '" + local_path + "', the copy of '" + url.shown + "'");
  path.remove_prefix(root.size() + 1);
  std::vector<Look::value_type> found;
  for (const auto& entry : current()) {
    if (is_folder_marker(entry.second)) continue;
    const std::string& name = entry.first;
    if (name == path || (name.starts_with(path) && name[path.size()] == '/')) found.push_back(entry);
  }
  if (found.empty()) return not_found("'" + url.shown + "' has nothing at '" + local + "'");
  return found;
}

RemoteSource::RemoteSource(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
RemoteSource::~RemoteSource() = default;

Result<std::unique_ptr<RemoteSource>> RemoteSource::open(const std::string& text, RemoteOptions options) {
  MM_ASSIGN_OR_RETURN(SourceUrl url, parse_source_url(text));
  MM_RETURN_IF_ERROR(check_allowed_url(text, options.allowed_prefixes));
  auto rep = std::make_unique<Rep>();
  WebClient::Options web;
  web.environment = options.environment;
  web.tries = options.tries;
  MM_ASSIGN_OR_RETURN(rep->store, open_store(url, web));
  MM_ASSIGN_OR_RETURN(rep->cache, BlobCache::open(options.cache_directory, options.cache_bytes));
  rep->root = rep->cache->paths().trees() + '/' + checksum_hex(digest_of(ChecksumKind::kSha256, text)).substr(0, 32);
  MM_ASSIGN_OR_RETURN(FileLock lock, FileLock::take(rep->root + ".lock", FileLock::Kind::kShared));
  rep->tree_lock = std::move(lock);
  // When it was opened says which of the trees that nobody uses goes first.
  std::error_code ignored;
  std::filesystem::last_write_time(rep->root + ".lock", std::filesystem::file_time_type::clock::now(), ignored);
  rep->local_path = rep->root + '/' + url.name();
  rep->url = std::move(url);
  rep->options = std::move(options);
  return std::unique_ptr<RemoteSource>(new RemoteSource(std::move(rep)));
}

const std::string& RemoteSource::local_path() const { return rep_->local_path; }

Result<bool> RemoteSource::refresh(const std::atomic<bool>& cancelled) {
  Status status;
  for (int looks = 0; looks < kLooks; ++looks) {
    status = rep_->look_again(cancelled);
    if (status.code() != Code::kAborted) break;
  }
  MM_RETURN_IF_ERROR(status);
  MutexLock lock(rep_->mutex);
  return !std::exchange(rep_->told, true);
}

Status RemoteSource::fetch(const std::string& local, const std::atomic<bool>& cancelled) {
  Status status;
  for (int looks = 0; looks < kLooks; ++looks) {
    if (looks > 0) MM_RETURN_IF_ERROR(rep_->look_again(cancelled));
    MM_ASSIGN_OR_RETURN(const auto wanted, rep_->below(local));
    status = rep_->bring(wanted, cancelled);
    if (status.code() != Code::kAborted) return status;
  }
  return status.with_context("it kept changing while it was read");
}

}  // namespace modelmill
