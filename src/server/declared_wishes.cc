#include "server/declared_wishes.h"

#include "experiment/experiment_definition.h"
#include "rollout/rollout_request.h"
#include "state/entry_name.h"

namespace modelmill {

std::vector<ConfigProblem> check_wishes(const DeclaredRoutes& declared) {
  std::vector<ConfigProblem> problems;
  const auto check = [&](const YamlWish& wish, const char* what, const Status& plan) {
    Status status = plan.ok() ? entry_name(wish.name).status() : plan;
    if (status.ok()) return;
    status = status.with_context(what + (" '" + wish.name) + "'");
    problems.push_back({status.code(), wish.place, status.message()});
  };
  for (const YamlWish& wish : declared.rollouts) check(wish, "rollout", parse_rollout_request(wish.plan).status());
  for (const YamlWish& wish : declared.experiments)
    check(wish, "experiment", parse_experiment_request(wish.plan).status());
  return problems;
}

}  // namespace modelmill
