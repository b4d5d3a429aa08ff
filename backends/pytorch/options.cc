#include "options.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;
using backend::ModelConfig;

constexpr int kMostThreads = 1024;

/// `fallback` when it isn't given.
int thread_count(const ModelConfig& config, std::string_view name, int fallback, int cores) {
  const int64_t given = config.parameter_int(name, -1);
  if (!config.parameter(name)) return fallback;
  if (given < 0 || given > kMostThreads)
    throw Error(MM_INVALID_ARGUMENT, "parameter '" + std::string(name) + "' is " + std::to_string(given) +
                                         "; it must be from 0 (as many as cores) to " + std::to_string(kMostThreads));
  return given == 0 ? cores : static_cast<int>(given);
}

std::optional<bool> flag(const ModelConfig& config, std::string_view name) {
  if (!config.parameter(name)) return std::nullopt;
  return config.parameter_bool(name, true);
}

}  // namespace

Options Options::read(const ModelConfig& config, uint32_t instance_threads, int cores) {
  Options out;
  out.run.threads = thread_count(config, "INTRA_OP_THREAD_COUNT",
                                 instance_threads > 0 ? static_cast<int>(instance_threads) : 1, cores);
  out.run.inference_mode = config.parameter_bool("INFERENCE_MODE", true);
  out.run.optimize = !config.parameter_bool("DISABLE_OPTIMIZED_EXECUTION", false);
  out.run.jit_executor = flag(config, "ENABLE_JIT_EXECUTOR");
  out.run.jit_profiling = flag(config, "ENABLE_JIT_PROFILING");
  out.fork_threads = thread_count(config, "INTER_OP_THREAD_COUNT", 0, cores);
  return out;
}

}  // namespace modelmill::pytorch
