#include "model/cache_rule.h"

namespace modelmill {

std::string cache_problem(const std::string& model, const CacheObstacles& obstacles) {
  const auto problem = [&model](const char* why) {
    return "answers of model '" + model + "' can't be kept in the response cache, because " + why +
           "; remove response_cache, or switch it off";
  };
  if (obstacles.decoupled) return problem("it is decoupled: a request may have any number of them");
  if (obstacles.keeps_state) return problem("it keeps state: they depend on the requests that came before");
  return "";
}

}  // namespace modelmill
