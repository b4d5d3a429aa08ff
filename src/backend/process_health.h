#pragma once

#include <cstdint>
#include <string>

namespace modelmill {

/// How the processes have fared that a backend runs a model in; of one that has none all is 0.
struct ProcessHealth {
  uint64_t failures = 0;  // crashes, and ends because a limit was broken, since the model was loaded
  std::string last_failure;
  uint64_t memory_bytes = 0;  // of its own, that the largest process has now; 0: not known
};

}  // namespace modelmill
