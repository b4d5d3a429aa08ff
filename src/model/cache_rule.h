#pragma once

#include <string>

namespace modelmill {

/// What can stand in the way of keeping a model's answers.
struct CacheObstacles {
  bool decoupled = false;    // a request has any number of them
  bool keeps_state = false;  // they depend on the requests before
};

/// Why a model whose configuration wants its answers kept is refused; empty: nothing stands in the way.
std::string cache_problem(const std::string& model, const CacheObstacles& obstacles);

}  // namespace modelmill
