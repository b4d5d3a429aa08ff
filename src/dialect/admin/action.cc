#include "dialect/admin/action.h"

#include <algorithm>
#include <utility>

#include "dialect/admin/experiments.h"
#include "dialect/admin/models.h"
#include "dialect/admin/rollouts.h"
#include "dialect/admin/routes.h"
#include "dialect/large_work.h"

namespace modelmill::admin {

std::span<const Action> actions() {
  static const std::vector<Action> kAll = [] {
    std::vector<Action> all;
    for (const auto part : {model_actions(), route_actions(), rollout_actions(), experiment_actions()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return kAll;
}

std::vector<std::string_view> segments_of(const Action& action) {
  std::vector<std::string_view> segments;
  for (std::string_view rest = action.path; !rest.empty();) {
    rest.remove_prefix(1);  // the slash
    const size_t end = std::min(rest.find('/'), rest.size());
    segments.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return segments;
}

std::optional<std::vector<std::string>> match(const Action& action, std::span<const std::string> path) {
  const auto segments = segments_of(action);
  if (segments.size() != path.size()) return std::nullopt;
  std::vector<std::string> names;
  for (size_t i = 0; i < path.size(); ++i) {
    if (segments[i].starts_with('{'))
      names.push_back(path[i]);
    else if (segments[i] != path[i])
      return std::nullopt;
  }
  return names;
}

void begin_action(const Controls& controls, const Action& action, ActionCall call, Action::Done done) {
  if (action.answer == nullptr) return action.begin(controls, call, std::move(done));
  if (controls.offload == nullptr) return done(action.answer(controls, call));
  const Status status = run_large(*controls.offload, [controls, answer = action.answer, call = std::move(call), done] {
    done(answer(controls, call));
  });
  if (!status.ok()) done(status);
}

}  // namespace modelmill::admin
