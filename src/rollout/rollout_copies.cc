#include "rollout/rollout_copies.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace modelmill {
namespace {

/// "7.5%".
std::string percent_text(double percent) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g%%", percent);
  return text;
}

/// "5%, 25% and 50%".
std::string list_text(const std::vector<std::string>& items) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  return out;
}

double share_of_baseline(const Rollout& rollout) {
  const RouteDefinition base = with_share(base_route(rollout), rollout.to, 0);
  const auto arm =
      std::find_if(base.split.begin(), base.split.end(), [&](const RouteArm& one) { return one.to == rollout.from; });
  return arm == base.split.end() ? 0 : arm->percent;
}

}  // namespace

std::optional<RouteShadow> shadow_at(const Rollout& rollout, size_t step) {
  if (!rollout.plan.copies_at(step)) return std::nullopt;
  const bool of_baseline = rollout.plan.steps[step].is_shadow;
  RouteShadow shadow;
  shadow.to = of_baseline ? rollout.to : rollout.from;
  shadow.of = of_baseline ? rollout.from : rollout.to;
  shadow.percent = of_baseline ? rollout.plan.steps[step].percent : 100;
  shadow.compare = rollout.plan.compare;
  return shadow;
}

double copied_percent(const Rollout& rollout, size_t step) {
  if (!rollout.plan.copies_at(step)) return 0;
  const RolloutStep& at = rollout.plan.steps[step];
  return at.is_shadow ? at.percent * share_of_baseline(rollout) / 100 : at.percent;
}

std::string copies_cost_text(const Rollout& rollout) {
  std::vector<std::string> canary, baseline;
  for (size_t step = 0; step < rollout.plan.steps.size(); ++step)
    if (rollout.plan.copies_at(step))
      (rollout.plan.steps[step].is_shadow ? canary : baseline).push_back(percent_text(copied_percent(rollout, step)));
  std::string out;
  if (!canary.empty())
    out = "'" + rollout.to.text() + "' computes " + list_text(canary) + " of the requests as a shadow";
  if (!baseline.empty())
    out += (out.empty() ? "" : ", and ") + ("'" + rollout.from.text() + "' computes ") + list_text(baseline) +
           " of them a second time, step by step, to be compared";
  return out.empty() ? out : "its copies cost: " + out;
}

std::string copies_cost_now_text(const Rollout& rollout) {
  const auto shadow = shadow_at(rollout, rollout.step);
  if (!shadow) return "";
  return "'" + shadow->to.text() + "' computes " + percent_text(copied_percent(rollout, rollout.step)) +
         " of the requests in addition";
}

RouteDefinition route_at(const Rollout& rollout, const RouteDefinition& base, size_t step) {
  const RolloutStep& at = rollout.plan.steps[step];
  RouteDefinition route = with_share(base, rollout.to, at.is_shadow ? 0 : at.percent);
  if (auto shadow = shadow_at(rollout, step)) {
    std::erase_if(route.shadows, [&](const RouteShadow& other) { return other.to == shadow->to; });
    route.shadows.push_back(*std::move(shadow));
  }
  return route;
}

RouteDefinition base_route(const Rollout& rollout) {
  if (rollout.before) return *rollout.before;
  // Of one that has ended there may be none.
  RouteDefinition route = rollout.wanted.value_or(RouteDefinition());
  route.split = {{rollout.from, 100}};
  route.shadows.clear();
  return route;
}

}  // namespace modelmill
