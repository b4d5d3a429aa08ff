#include "support/thread_count.h"

#include <string>

namespace modelmill::backend {

constexpr int kMostThreads = 1024;

int thread_count(const ModelConfig& config, std::string_view name, int fallback, int cores) {
  if (!config.parameter(name)) return fallback;
  const int64_t given = config.parameter_int(name, fallback);
  if (given < 0 || given > kMostThreads)
    throw Error(MM_INVALID_ARGUMENT, "parameter '" + std::string(name) + "' is " + std::to_string(given) +
                                         "; it must be from 0 (as many as cores) to " + std::to_string(kMostThreads));
  return given == 0 ? cores : static_cast<int>(given);
}

}  // namespace modelmill::backend
