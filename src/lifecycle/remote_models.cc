#include "lifecycle/remote_models.h"

#include <utility>

namespace modelmill {
namespace {

bool is_below(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + '/');
}

}  // namespace

Status RemoteModels::open(ModelSources& sources) {
  for (std::string& path : sources.paths) {
    const size_t equals = path.find('=');
    const bool is_named = !is_remote_url(path) && equals != std::string::npos && is_remote_url(path.substr(equals + 1));
    const std::string url = is_named ? path.substr(equals + 1) : path;
    if (!is_remote_url(url)) continue;
    RemoteOptions options = options_;
    options.allowed_prefixes.push_back(url);  // the operator named it
    MM_ASSIGN_OR_RETURN(auto source, RemoteSource::open(url, std::move(options)));
    path = (is_named ? path.substr(0, equals + 1) : std::string()) + source->local_path();
    sources_.insert_or_assign(url, std::move(source));
  }
  return ok_status();
}

std::map<std::string, Status> RemoteModels::refresh() {
  std::map<std::string, Status> lost;
  for (const auto& [url, source] : sources_)
    if (const auto changed = source->refresh(); !changed.ok()) lost.emplace(url, changed.status());
  return lost;
}

Status RemoteModels::fetch(const FoundVersion& version) {
  const std::string& path = version.file.empty() ? version.directory : version.file;
  for (const auto& [url, source] : sources_)
    if (is_below(path, source->local_path())) return source->fetch(path, stopping_);
  return ok_status();
}

}  // namespace modelmill
