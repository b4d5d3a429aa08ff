#include "rollout/rollout_document.h"

#include <algorithm>
#include <utility>

namespace modelmill {

const char* rollout_phase_name(RolloutPhase phase) {
  switch (phase) {
    case RolloutPhase::kRunning: return "running";
    case RolloutPhase::kPaused: return "paused";
    case RolloutPhase::kPromoted: return "promoted";
    case RolloutPhase::kRolledBack: return "rolled back";
    case RolloutPhase::kAborted: return "aborted";
  }
  return "";
}

const char* rollout_wish_state_name(RolloutWishState state) {
  switch (state) {
    case RolloutWishState::kWaiting: return "waiting";
    case RolloutWishState::kRunning: return "running";
    case RolloutWishState::kReached: return "reached";
    case RolloutWishState::kPromoted: return "promoted";
    case RolloutWishState::kRolledBack: return "rolled back";
    case RolloutWishState::kAborted: return "aborted";
  }
  return "";
}

void RolloutDocument::add(RolloutEntry entry) {
  entry.number = entries.empty() ? 1 : entries.back().number + 1;
  entries.push_back(std::move(entry));
  if (entries.size() > kMostEntries) entries.erase(entries.begin());
}

RouteDefinition with_share(const RouteDefinition& base, const RouteTarget& to, double percent) {
  RouteDefinition route = base;
  route.split.clear();
  double others = 0;
  for (const RouteArm& arm : base.split)
    if (arm.to != to) others += arm.percent;
  for (const RouteArm& arm : base.split) {
    if (arm.to == to || arm.percent <= 0 || percent >= 100) continue;
    route.split.push_back({arm.to, (100 - percent) * arm.percent / others});
  }
  if (percent > 0 || route.split.empty()) route.split.push_back({to, route.split.empty() ? 100 : percent});
  return route;
}

}  // namespace modelmill
