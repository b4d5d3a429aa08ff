#include "lifecycle/code_trust.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace modelmill {
namespace {

namespace fs = std::filesystem;

bool runs_code(const std::string& backend) { return backend == "python"; }

/// The folder of the cache that has the copies of what is at URLs.
bool is_copy(const std::string& path, const std::string& cache) {
  if (cache.empty() || path.empty()) return false;
  std::error_code error;
  const fs::path copies = fs::weakly_canonical(fs::path(cache) / "trees", error);
  const fs::path real = fs::weakly_canonical(path, error);
  const auto [end, ignored] = std::mismatch(copies.begin(), copies.end(), real.begin(), real.end());
  return end == copies.end();
}

}  // namespace

Status check_code_trust(const FoundModel& model, const FoundVersion& version, const std::string& backend,
                        const LoadSettings& settings) {
  if (!runs_code(backend)) return ok_status();
  const std::string what = "model '" + model.name + "' is code that the server would run, ";
  if (model.untrusted && !settings.allow_sent_code)
    return {Code::kPermissionDenied, what + "and a client sent it; --allow-model-code sent allows that"};
  const auto copied = [&](const std::string& path) { return is_copy(path, settings.cache_directory); };
  const bool from_url = copied(version.directory) || copied(version.file) ||
                        std::any_of(model.archives.begin(), model.archives.end(), copied);
  if (from_url && !settings.allow_url_code)
    return {Code::kPermissionDenied, what + "and it comes from a URL; --allow-model-code url allows that"};
  return ok_status();
}

}  // namespace modelmill
