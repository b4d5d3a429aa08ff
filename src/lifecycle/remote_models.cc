#include "lifecycle/remote_models.h"

#include <algorithm>
#include <utility>

#include "lifecycle/lies_in.h"

namespace modelmill {
namespace {

/// How soon a URL that a file names is tried again.
constexpr Duration kRetry = std::chrono::seconds(30);

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + '/');
}

}  // namespace

Result<std::shared_ptr<RemoteSource>> RemoteModels::open(const std::string& url, bool trusted) const {
  RemoteOptions options = options_;
  if (trusted) options.allowed_prefixes.push_back(url);
  MM_ASSIGN_OR_RETURN(auto source, RemoteSource::open(url, std::move(options)));
  return std::shared_ptr<RemoteSource>(std::move(source));
}

Status RemoteModels::open(ModelSources& sources) {
  const MutexLock lock(mutex_);
  for (std::string& path : sources.paths) {
    const size_t equals = path.find('=');
    const bool is_named = !is_remote_url(path) && equals != std::string::npos && is_remote_url(path.substr(equals + 1));
    const std::string url = is_named ? path.substr(equals + 1) : path;
    if (!is_remote_url(url)) continue;
    MM_ASSIGN_OR_RETURN(auto source, open(url, true));  // the operator named it
    path = (is_named ? path.substr(0, equals + 1) : std::string()) + source->local_path();
    sources_.insert_or_assign(url, Source{.source = std::move(source), .named = kNever});
  }
  return ok_status();
}

LocalCopy RemoteModels::open_named(const std::string& url, const std::string& file, TimePoint now,
                                   const std::atomic<bool>& cancelled) {
  const bool trusted = !file.empty() && !lies_in(file, options_.cache_directory);
  Source known;
  {
    const MutexLock lock(mutex_);
    const auto it = sources_.find(url);
    if (it != sources_.end()) {
      it->second.named = std::max(it->second.named, now);
      known = it->second;
    }
  }
  const auto copy_of = [](const Source& of) {
    if (!of.problem.ok()) return LocalCopy{{}, of.source, of.problem};
    return LocalCopy{of.source->local_path(), of.source, {}};
  };
  if (known.source && (known.known || now - known.tried < kRetry)) return copy_of(known);
  if (!known.source) {
    auto source = open(url, trusted);
    if (!source.ok()) return {{}, {}, source.status()};
    known.source = *std::move(source);
  }
  known.problem = known.source->refresh(cancelled).status();
  if (known.problem.code() == Code::kCancelled) return copy_of(known);
  known.known = known.problem.ok();
  known.tried = now;
  known.named = std::max(known.named, now);
  const MutexLock lock(mutex_);
  sources_.insert_or_assign(url, known);
  return copy_of(known);
}

Result<std::shared_ptr<RemoteSource>> RemoteModels::look_at(const std::string& url,
                                                            const std::atomic<bool>& cancelled) const {
  const auto known = sources();
  const auto it = known.find(url);
  std::shared_ptr<RemoteSource> source = it == known.end() ? nullptr : it->second.source;
  if (!source) {
    MM_ASSIGN_OR_RETURN(source, open(url, false));
  }
  MM_RETURN_IF_ERROR(source->refresh(cancelled).status());
  return source;
}

Result<std::shared_ptr<RemoteSource>> RemoteModels::add(const std::string& url, const std::atomic<bool>& cancelled) {
  MM_ASSIGN_OR_RETURN(auto source, look_at(url, cancelled));
  const MutexLock lock(mutex_);
  sources_.try_emplace(url, Source{source});
  return source;
}

std::string RemoteModels::copy_with(const std::string& file) const {
  for (const auto& [url, source] : sources())
    if (lies_in(file, source.source->local_path())) return source.source->local_path();
  return {};
}

std::string RemoteModels::url_of(const std::string& path) const {
  for (const auto& [url, source] : sources())
    if (lies_in(path, source.source->local_path())) return url;
  return {};
}

void RemoteModels::keep_named_since(TimePoint now) {
  const MutexLock lock(mutex_);
  std::erase_if(sources_,
                [now](const auto& entry) { return entry.second.named < now && entry.second.source.use_count() == 1; });
}

bool RemoteModels::empty() const {
  const MutexLock lock(mutex_);
  return sources_.empty();
}

std::map<std::string, RemoteModels::Source> RemoteModels::sources() const {
  const MutexLock lock(mutex_);
  return sources_;
}

std::map<std::string, Status> RemoteModels::refresh(const std::atomic<bool>& cancelled) {
  std::map<std::string, Status> lost;
  for (const auto& [url, source] : sources())
    if (source.known)
      if (const auto changed = source.source->refresh(cancelled); !changed.ok()) lost.emplace(url, changed.status());
  return lost;
}

Status RemoteModels::fetch(const FoundVersion& version, const std::atomic<bool>& cancelled) {
  const std::string& path = version.file.empty() ? version.directory : version.file;
  for (const auto& [url, source] : sources())
    if (is_below(path, source.source->local_path())) return source.source->fetch(path, cancelled);
  return ok_status();
}

}  // namespace modelmill
