#pragma once

#include "bridge.h"

namespace modelmill::pytorch {

/// How a model wants to be run, from its configuration. The parameters are Triton's:
///   INFERENCE_MODE                whether autograd is off wholly; true
///   DISABLE_OPTIMIZED_EXECUTION   whether TorchScript runs as it is written; false
///   INTRA_OP_THREAD_COUNT         threads inside one operator; 0: as many as cores
///   INTER_OP_THREAD_COUNT         threads for what a program forks, of all models together; 0: as many as cores
struct Options {
  RunOptions run;
  int fork_threads = 0;  // 0: nobody says

  /// Throws Error naming the parameter and what it may be. `instance_threads`: 0 if nobody says.
  static Options read(const backend::ModelConfig& config, uint32_t instance_threads, int cores);
};

}  // namespace modelmill::pytorch
