#include "lifecycle/runtime_stand_in.h"

#include <utility>

namespace modelmill {
namespace {

constexpr const char* kWorkers = "python";
constexpr const char* kServedByWorkers = "pytorch";

}  // namespace

bool stands_in_for(const std::string& backend, const std::string& own) {
  return backend == kWorkers && own == kServedByWorkers;
}

std::optional<StandIn> find_stand_in(
    const BackendRegistry::Description& own, bool asked,
    const std::function<Result<BackendRegistry::Description>(const std::string& backend)>& find) {
  if (!stands_in_for(kWorkers, own.name) || (own.usable && !asked)) return std::nullopt;
  const auto workers = find(kWorkers);
  if (!workers.ok() || !workers->usable) return std::nullopt;
  StandIn out{own.name, own.runtime, {}, workers->name, workers->runtime};
  if (!asked) out.problem = own.problem + (own.remedy.empty() ? "" : "; for the plugin: " + own.remedy);
  return out;
}

BackendSource with_stand_in(const BackendSource& backends, const StandIn& stand_in) {
  BackendSource out = backends;
  out.find = [find = backends.find, stand_in](const std::string& backend,
                                              const std::string& extra) -> Result<BackendRegistry::Description> {
    auto own = find(backend, extra);
    if (backend != stand_in.own || !own.ok()) return own;
    auto other = find(stand_in.backend, extra);
    if (!other.ok()) return other;
    // Its files and places are the own backend's.
    other->default_file = own->default_file;
    other->extensions = own->extensions;
    other->gpu_count = own->gpu_count;
    other->precisions.clear();
    return other;
  };
  return out;
}

Status stand_in_failure(const StandIn& stand_in, const Status& status) {
  if (stand_in.problem.empty()) return status;
  return {status.code(), status.message() + " (it was loaded by backend '" + stand_in.backend + "', because backend '" +
                             stand_in.own + "' can't run: " + stand_in.problem + ")"};
}

std::shared_ptr<const RuntimeReport> stand_in_report(const StandIn& stand_in, RuntimeLayout layout, double tolerance) {
  auto out = std::make_shared<RuntimeReport>();
  out->tolerance = tolerance;
  layout.backend = stand_in.own;
  if (!stand_in.problem.empty()) out->candidates.push_back({layout, stand_in.own_runtime, {}, 0, stand_in.problem});
  layout.backend = stand_in.backend;
  out->candidates.push_back({layout, stand_in.runtime, {}, 0, {}});
  out->chosen = std::move(layout);
  out->reason = stand_in.problem.empty()
                    ? "the parameter or option 'runtime' names it"
                    : "backend '" + stand_in.own + "' can't run here, and this one runs its models";
  return out;
}

}  // namespace modelmill
