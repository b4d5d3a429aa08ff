#include "lifecycle/archives.h"

#include <filesystem>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "repository/archive_name.h"
#include "storage/unpacked_trees.h"

namespace modelmill {

LocalCopy Archives::open(const std::string& archive, Look& look, const std::atomic<bool>& cancelled) {
  look.met.insert(archive);
  const std::string state = archive_state(archive);
  {
    const MutexLock lock(mutex_);
    const Known& known = known_[archive];
    const bool same = known.state == state && !state.empty();
    if (same && (known.problem.ok() || !look.at_once)) {
      settling_.forget(archive);
      return opened(known);
    }
    if (!look.at_once && !settling_.observe(archive, state, look.now)) {
      look.changing = true;
      return opened(known);
    }
  }
  auto content = unpack(archive, cancelled);
  const MutexLock lock(mutex_);
  Known& known = known_[archive];
  if (const Code code = content.status().code(); code == Code::kAborted || code == Code::kCancelled) {
    look.changing = code == Code::kAborted;
    LocalCopy out = opened(known);
    if (look.at_once || code == Code::kCancelled) out.problem = content.status();
    return out;
  }
  known.state = state;
  known.problem = content.status();
  if (content.ok()) known.content = *std::move(content);
  return opened(known);
}

Result<std::shared_ptr<const UnpackedArchive>> Archives::unpack(const std::string& archive,
                                                                const std::atomic<bool>& cancelled) {
  const ArchiveCache* cache = nullptr;
  {
    const MutexLock lock(mutex_);
    if (!cache_) {
      if (cache_folder_.empty())
        return failed_precondition("archive '" + archive +
                                   "' needs a folder to be unpacked into; name one with "
                                   "--model-cache");
      MM_ASSIGN_OR_RETURN(cache_, ArchiveCache::open(cache_folder_, cache_bytes_));
    }
    cache = cache_.get();
  }
  const TimePoint start = Clock::now();
  auto content = cache->unpack(archive, archive_stem(std::filesystem::path(archive).filename().string()), cancelled);
  if (content.ok())
    Log::debug(
        "archive opened",
        {{"archive", archive}, {"folder", (*content)->folder()}, {"ms", to_ns(Clock::now() - start) / 1'000'000}});
  return content;
}

LocalCopy Archives::opened(const Known& known) {
  return {known.content ? known.content->folder() : std::string(), known.content, known.problem};
}

void Archives::keep_only(const std::set<std::string>& met) {
  std::map<std::string, Known> gone;  // goes after the lock, and folders may go with it
  const MutexLock lock(mutex_);
  for (auto it = known_.begin(); it != known_.end();) {
    const auto next = std::next(it);
    if (!met.contains(it->first)) gone.insert(known_.extract(it));
    it = next;
  }
}

}  // namespace modelmill
