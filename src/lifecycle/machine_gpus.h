#pragma once

#include <string>
#include <vector>

namespace modelmill {

/// What tells of a machine's GPUs: the folder of its devices, and variables of the environment; empty: not set.
struct GpuSigns {
  std::string devices = "/dev";
  std::string visible = {};     // CUDA_VISIBLE_DEVICES
  bool visible_is_set = false;  // set and empty, it hides all of them
  std::string told = {};        // MODELMILL_GPUS
};

GpuSigns gpu_signs();

/// The GPUs that programs started here can use, by CUDA's numbers: 0, 1, and so on, whatever the devices are called.
std::vector<int> machine_gpus(const GpuSigns& signs);

}  // namespace modelmill
