#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ov.h"

namespace modelmill::ov {

using Properties = std::vector<std::pair<std::string, std::string>>;

/// How a model wants to be run, from its configuration. The parameters, with the names that Triton gives them:
///   TARGET_DEVICE                CPU (the default), GPU, AUTO, ...
///   INFERENCE_NUM_THREADS        threads of an instance; 0: as many as cores
///   NUM_STREAMS, PERFORMANCE_HINT
///                                all instances share one compiled model with OpenVINO's own streams
///   SKIP_OV_DYNAMIC_BATCHSIZE    YES: the model's first dimension stays as it is, whatever max_batch_size says
///   ENABLE_BATCH_PADDING         YES: such a model, whose batches have as many rows as max_batch_size says, takes
///                                fewer as well: the server fills them up
///   RESHAPE_IO_LAYERS            YES: the inputs get the shapes of the configuration
///   CPU_EXTENSION_PATH           a library with operators of the user's own
///   HINT_BF16                    YES: INFERENCE_PRECISION_HINT bf16
///   FIXED_SHAPES                 NO: no shape gets a compiled model of its own, however often it comes
///   INFERENCE_PRECISION_HINT     f32 (the default), bf16, f16
/// and OpenVINO's own properties that kHandedOn names, as they are; `cache_dir` is CACHE_DIR.
struct Options {
  std::string device = "CPU";
  int threads = 1;      // of an instance
  bool shared = false;  // the streams are the user's or the device's business
  bool skip_batch = false;
  bool pad_batches = false;
  bool reshape = false;
  std::string extension;  // a library; empty: none
  bool fixed_shapes = true;
  Properties properties;  // but for the number of streams and threads

  bool on_cpu() const { return device == "CPU"; }

  /// Throws Error naming the parameter and what it may be. `instance_threads`: 0 if nobody says.
  static Options read(const backend::ModelConfig& config, uint32_t instance_threads, int cores);
};

}  // namespace modelmill::ov
