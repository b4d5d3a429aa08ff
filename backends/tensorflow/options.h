#pragma once

#include <string>
#include <vector>

#include "tf_api.h"

namespace modelmill::tensorflow {

/// How a model wants to be run, from its configuration. The parameters are Triton's:
///   TF_SIGNATURE_DEF             the signature that is served; serving_default
///   TF_GRAPH_TAG                 the tags of the graph, comma-separated; serve
///   TF_NUM_INTRA_THREADS         threads inside one operator; 0: as many as cores
///   TF_NUM_INTER_THREADS         operators at the same time, in a pool of threads; 0: as many as cores. Without it an
///                                execution stays on the thread that asked for it
///   TF_USE_PER_SESSION_THREADS   whether that pool is the model's own
struct Options {
  std::string signature;
  std::vector<std::string> tags;
  int intra_op_threads = 1;
  int inter_op_threads = -1;  // -1: on the caller's thread
  bool own_pool = true;

  /// Throws Error naming the parameter and what it may be. `instance_threads`: 0 if nobody says.
  static Options read(const backend::ModelConfig& config, uint32_t instance_threads, int cores);

  /// A serialized ConfigProto.
  std::string config_proto() const;
  /// Runs wholly on the thread that calls.
  bool on_caller() const { return inter_op_threads < 0 && intra_op_threads == 1; }
};

/// "serve,gpu".
std::string joined(const std::vector<std::string>& texts);

}  // namespace modelmill::tensorflow
