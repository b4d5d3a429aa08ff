#pragma once

#include <string>

#include "base/status.h"
#include "serve/trace/trace_settings.h"

namespace modelmill {

/// How a server traces from its start on.
struct TraceConfig {
  TraceSettings settings;
  std::string file;  // empty: nothing can be traced
};

/// Puts one of Triton's "rate=100", "level=TIMESTAMPS" (given several times: each), "count=5", "mode=triton",
/// "triton,file=FILE" and "triton,log-frequency=50" into `config`. INVALID_ARGUMENT shows the forms.
Status add_trace_setting(const std::string& text, TraceConfig& config);

/// INVALID_ARGUMENT when the settings can't be in force together.
Status check_trace_config(const TraceConfig& config);

}  // namespace modelmill
