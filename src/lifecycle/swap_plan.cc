#include "lifecycle/swap_plan.h"

#include <algorithm>

namespace modelmill {
namespace {

const WantedVersion* find(const std::vector<WantedVersion>& wanted, int64_t version) {
  const auto it =
      std::find_if(wanted.begin(), wanted.end(), [version](const WantedVersion& w) { return w.version == version; });
  return it == wanted.end() ? nullptr : &*it;
}

const SwapVersion* find(const std::vector<SwapVersion>& versions, int64_t version) {
  const auto it =
      std::find_if(versions.begin(), versions.end(), [version](const SwapVersion& v) { return v.version == version; });
  return it == versions.end() ? nullptr : &*it;
}

bool serves(const SwapVersion* version, const WantedVersion& wanted) {
  return version != nullptr && version->serving == wanted.stamp;
}

bool failed(const SwapVersion* version, const WantedVersion& wanted) {
  return version != nullptr && version->failed == wanted.stamp;
}

}  // namespace

SwapSteps plan_swap(const std::vector<SwapVersion>& versions, const std::vector<WantedVersion>& wanted,
                    SwapPolicy policy) {
  const bool resource = policy == SwapPolicy::kResource;
  SwapSteps steps;
  const bool any_loading =
      std::any_of(versions.begin(), versions.end(), [](const SwapVersion& v) { return !v.loading.empty(); });
  const bool any_begun = std::any_of(versions.begin(), versions.end(),
                                     [](const SwapVersion& v) { return !v.loading.empty() && !v.waits; });
  const bool any_serves = std::any_of(wanted.begin(), wanted.end(), [&](const WantedVersion& w) {
    const SwapVersion* version = find(versions, w.version);
    return version != nullptr && !version->serving.empty();
  });
  std::vector<int64_t> to_load;
  for (const WantedVersion& w : wanted) {
    const SwapVersion* version = find(versions, w.version);
    if (serves(version, w) || failed(version, w)) continue;
    if (version == nullptr || version->loading.empty()) to_load.push_back(w.version);
  }
  const bool nothing_to_come = to_load.empty() && !any_loading;
  // What is to be tried again may take its time: nobody waits for it where something else serves.
  const bool is_over = to_load.empty() && !any_begun && (any_serves || wanted.empty());
  for (const SwapVersion& version : versions) {
    if (version.serving.empty()) continue;
    const WantedVersion* w = find(wanted, version.version);
    const bool replaced = w != nullptr && version.serving != w->stamp && version.failed != w->stamp;
    if (resource ? w == nullptr || replaced : is_over && w == nullptr) steps.unload.push_back(version.version);
  }
  const bool making_room =
      resource && (!steps.unload.empty() ||
                   std::any_of(versions.begin(), versions.end(), [](const SwapVersion& v) { return v.draining; }));
  if (!making_room) steps.load = std::move(to_load);
  steps.settled = nothing_to_come && steps.unload.empty();
  return steps;
}

}  // namespace modelmill
