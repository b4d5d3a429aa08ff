#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "catalog/series_settings.h"
#include "catalog/version_counters.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Puts what `counters` count into `registry`, under Triton's names where it has one, as long as the handles are kept.
/// `time`: what the last minute is until; must outlive them.
std::vector<MetricRegistry::Handle> add_version_series(std::shared_ptr<const VersionCounters> counters,
                                                       MetricRegistry& registry, const MetricLabels& labels,
                                                       const SeriesSettings& settings, TimeSource& time);

}  // namespace modelmill
