#pragma once

#include "base/status.h"
#include "repository/torchserve_properties.h"
#include "server/trace_config.h"

namespace modelmill {

/// Takes what OpenTelemetry's environment variables (OTEL_*) say of traces, unless a setting has said it. Where none is
/// given and `may_begin`, a collector that they name is traced to, and they choose the sampling. INVALID_ARGUMENT names
/// the variable whose value can't be, where settings ask for traces; where only the environment does, and for what may
/// not keep a server from its start, that is a warning in `config`.
Status apply_trace_environment(const Variables& variables, bool may_begin, TraceConfig& config);

}  // namespace modelmill
