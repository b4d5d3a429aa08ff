#pragma once

#include "runtime/metrics.h"
#include "server/host_info.h"

namespace modelmill {

/// Adds to `registry` what is read of the process and the machine at each rendering: the process_* series that
/// Prometheus' own clients have, Triton's nv_cpu_* series where `machine` asks for them, and modelmill_build_info.
void add_process_metrics(MetricRegistry& registry, bool machine = true, HostPaths paths = {});

/// Adds Triton's series of its pool of pinned memory, which say that there is none.
void add_pinned_pool_metrics(MetricRegistry& registry);

}  // namespace modelmill
