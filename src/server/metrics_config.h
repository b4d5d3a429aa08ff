#pragma once

#include <string>

#include "base/status.h"
#include "catalog/series_settings.h"

namespace modelmill {

/// Puts one of Triton's settings of metrics into `series`: "counter_latencies=false", "histogram_latencies=true",
/// "summary_latencies=true", "summary_quantiles=0.5:0.05,0.99:0.001". INVALID_ARGUMENT shows the forms. The error that
/// a quantile may have is not looked at: all are as near as RecentLatencies keeps them.
Status add_metrics_setting(const std::string& text, SeriesSettings& series);

}  // namespace modelmill
