#pragma once

#include <functional>
#include <vector>

#include "runtime/gpu_watch.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Adds to `registry` what is read of the machine's GPUs at each rendering, as Triton's nv_gpu_* series; their memory
/// is told by who puts models there.
void add_gpu_metrics(MetricRegistry& registry, std::function<std::vector<GpuReading>()> read = read_machine_gpus);

}  // namespace modelmill
