#include "lifecycle/answer_rules.h"

#include <string>

namespace modelmill {

Status check_cache(const ModelDefinition& definition, const CacheObstacles& obstacles) {
  if (!definition.response_cache) return ok_status();
  const std::string problem = cache_problem(definition.name, obstacles);
  return problem.empty() ? ok_status() : invalid_argument("response_cache: " + problem);
}

Status settle_answers(ModelDefinition& definition, const BackendModelInfo& info) {
  if (definition.decoupled && !info.decoupled)
    return invalid_argument("model '" + definition.name + "': backend '" + definition.backend +
                            "' gives one response to a request; remove decoupled from model_transaction_policy");
  if (!definition.decoupled_given) definition.decoupled = info.decoupled;
  // Code with an open signature gives one answer where one is wanted, and only such are kept.
  return check_cache(definition,
                     {.decoupled = definition.decoupled && !info.signature.open, .keeps_state = info.stateful});
}

}  // namespace modelmill
