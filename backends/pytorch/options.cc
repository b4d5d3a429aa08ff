#include "options.h"

#include "support/thread_count.h"

namespace modelmill::pytorch {
namespace {

using backend::ModelConfig;
using backend::thread_count;

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
