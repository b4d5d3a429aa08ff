#include "lifecycle/model_record.h"

#include <algorithm>

namespace modelmill {
namespace {

VersionStatus status_of(int64_t number, const VersionRecord& version) {
  VersionStatus status{number, VersionState::kUnavailable, version.reason};
  if (version.serving)
    status.state = VersionState::kReady;
  else if (!version.loading.empty())
    status = {number, VersionState::kLoading, {}};
  else if (!version.tries.waiting().empty())
    status.state = VersionState::kLoading;
  else if (version.draining > 0)
    status = {number, VersionState::kUnloading, {}};
  return status;
}

}  // namespace

void ModelRecord::forget_failures() {
  for (auto& [number, version] : versions) {
    version.failed.clear();
    version.tries.forget();
  }
}

bool ModelRecord::wants(const WantedVersion& version) const {
  const auto all = wanted();
  return std::any_of(all.begin(), all.end(),
                     [&](const WantedVersion& w) { return w.version == version.version && w.stamp == version.stamp; });
}

std::vector<SwapVersion> ModelRecord::swap_versions() const {
  std::vector<SwapVersion> out;
  // What is to be tried again is on its way.
  for (const auto& [number, version] : versions)
    out.push_back({number, version.serving ? version.stamp : std::string(),
                   version.loading.empty() ? version.tries.waiting() : version.loading, version.failed,
                   version.draining > 0, version.loading.empty() && !version.tries.waiting().empty()});
  return out;
}

bool ModelRecord::settled() const {
  return !target || plan_swap(swap_versions(), wanted(), effective()->definition.swap).settled;
}

bool ModelRecord::waits_to_retry() const {
  return std::any_of(versions.begin(), versions.end(), [](const auto& v) { return !v.second.tries.waiting().empty(); });
}

bool ModelRecord::serves() const {
  return std::any_of(versions.begin(), versions.end(), [](const auto& v) { return v.second.serving != nullptr; });
}

bool ModelRecord::can_be_asked() const {
  return std::any_of(versions.begin(), versions.end(), [](const auto& v) {
    if (v.second.serving == nullptr) return false;
    const ModelVersion& version = **v.second.serving;
    // What a client has taken the instances of is as that client wants it.
    return version.suspended() || version.availability().ok();
  });
}

bool ModelRecord::in_motion() const {
  return std::any_of(versions.begin(), versions.end(),
                     [](const auto& v) { return !v.second.loading.empty() || v.second.draining > 0; });
}

uint64_t ModelRecord::bytes() const {
  uint64_t bytes = leaving;
  for (const auto& [number, version] : versions)
    if (version.serving || !version.loading.empty()) bytes += version.bytes;
  return bytes;
}

Status ModelRecord::outcome() const {
  if (!problem.empty()) return invalid_argument("load failed for model '" + name + "': " + problem);
  std::string failures;
  Code code = Code::kInvalidArgument;
  for (const WantedVersion& wanted : target ? effective()->wanted : std::vector<WantedVersion>()) {
    const auto it = versions.find(wanted.version);
    if (it != versions.end() && it->second.serving && it->second.stamp == wanted.stamp) continue;
    if (it != versions.end() && it->second.failed_code == Code::kResourceExhausted) code = Code::kResourceExhausted;
    failures += (failures.empty() ? "version " : "; version ") + std::to_string(wanted.version) + ": " +
                (it == versions.end() ? "not loaded" : it->second.reason);
  }
  if (restored && !restored->why.ok())
    return {restored->why.code(),
            restored->why.message() + (failures.empty() ? "; what served before was loaded again"
                                                        : "; what served before can't be loaded again: " + failures)};
  return failures.empty() ? ok_status() : Status(code, "load failed for model '" + name + "': " + failures);
}

std::shared_ptr<const ModelEntry> ModelRecord::entry(bool on_demand) const {
  auto entry = std::make_shared<ModelEntry>();
  entry->name = name;
  entry->on_demand = on_demand;
  for (const auto& [number, version] : versions) {
    entry->statuses.push_back(status_of(number, version));
    if (version.serving) entry->versions.push_back(version.serving->share());
  }
  if (!problem.empty() && entry->statuses.empty()) entry->statuses.push_back({0, VersionState::kUnavailable, problem});
  if (target) {
    entry->default_version = default_version();
    for (const auto& [label, version] : labels()) entry->labels[label] = version;
  }
  return entry;
}

int64_t ModelRecord::default_version() const {
  if (state.default_version) return *state.default_version;
  return target ? effective()->definition.default_version.value_or(0) : 0;
}

std::map<std::string, int64_t> ModelRecord::labels() const {
  std::map<std::string, int64_t> out = state.labels;
  if (target) out.insert(effective()->definition.labels.begin(), effective()->definition.labels.end());
  return out;
}

}  // namespace modelmill
