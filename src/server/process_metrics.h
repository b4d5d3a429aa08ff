#pragma once

#include "runtime/metrics.h"
#include "server/host_info.h"

namespace modelmill {

/// Adds to `registry` what is read of the process and the machine at each rendering: the process_* series that
/// Prometheus' own clients have, Triton's nv_cpu_* series, and modelmill_build_info.
void add_process_metrics(MetricRegistry& registry, HostPaths paths = {});

}  // namespace modelmill
