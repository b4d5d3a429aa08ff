#pragma once

#include <string>
#include <vector>

#include "ort.h"

namespace modelmill::ort {

/// How a model wants to be run, from its configuration. The parameters, with the names that Triton gives them where it
/// has one:
///   intra_op_thread_count, inter_op_thread_count   threads; 0: as many as cores
///   execution_mode                                 0: one operator after another; 1: branches at the same time
///   graph_optimization_level                       disabled, basic, extended or all; optimization.graph.level works
///   too:
///                                                  -1 basic, 1 extended, 2 disabled
///   enable_mem_arena, enable_mem_pattern           0 or 1
///   memory.enable_memory_arena_shrinkage           "cpu:0", ...
///   optimized_model_filepath                       where to write the optimised graph
///   providers                                      comma-separated, best first: "CUDAExecutionProvider"
///   session.*, optimization.*, mlas.*, ep.*        handed on as they are
struct Options {
  int intra_op_threads = 1;
  int inter_op_threads = 0;
  bool parallel = false;
  GraphOptimizationLevel level = ORT_ENABLE_ALL;
  bool mem_arena = true;
  bool mem_pattern = true;
  std::string arena_shrinkage;
  std::string optimized_model;
  struct Provider {
    std::string name;  // "CUDAExecutionProvider"
    std::vector<std::pair<std::string, std::string>> settings;
  };
  std::vector<Provider> providers;  // but for the CPU's, which is always there
  std::vector<std::pair<std::string, std::string>> entries;

  /// Throws Error naming the parameter and what it may be. `instance_threads`: 0 if nobody says.
  static Options read(const backend::ModelConfig& config, uint32_t instance_threads, int cores);

  /// The session's options. `available`: the library's providers, for the message when one is missing.
  Handle<OrtSessionOptions> session_options(const std::string& model, const std::vector<std::string>& available) const;
  Handle<OrtRunOptions> run_options() const;
};

}  // namespace modelmill::ort
