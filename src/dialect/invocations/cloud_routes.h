#pragma once

#include <string>

namespace modelmill::invocations {

/// The paths at which Vertex AI asks a container; empty: there are none.
struct CloudRoutes {
  std::string health;
  std::string predict;

  bool operator==(const CloudRoutes&) const = default;
};

}  // namespace modelmill::invocations
