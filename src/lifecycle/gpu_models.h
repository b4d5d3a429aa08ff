#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lifecycle/device_memory.h"

namespace modelmill {

/// What the machine's GPUs are called by their makers, "NVIDIA A100-SXM4-80GB" for each, sorted; empty where the driver
/// tells nothing.
std::vector<std::string> gpu_models(const std::filesystem::path& driver = "/proc/driver/nvidia/gpus");

/// What costs on a GPU depend on, in a word: the GPU's memory as a backend tells it, in whole gibibytes. Another GPU of
/// the same kind has the same.
std::string gpu_size(const DeviceMemory::Told& told);

}  // namespace modelmill
