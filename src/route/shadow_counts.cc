#include "route/shadow_counts.h"

#include <algorithm>
#include <numeric>

namespace modelmill {
namespace {

void add(HistogramValue& into, const HistogramValue& more) {
  into.counts.resize(std::max(into.counts.size(), more.counts.size()));
  for (size_t i = 0; i < more.counts.size(); ++i) into.counts[i] += more.counts[i];
  into.sum += more.sum;
}

}  // namespace

void ShadowCounts::merge(const ShadowCounts& other) {
  compared += other.compared;
  disagreed += other.disagreed;
  shed += other.shed;
  failed += other.failed;
  not_compared += other.not_compared;
  worst = std::max(worst, other.worst);
  add(primary_us, other.primary_us);
  add(shadow_us, other.shadow_us);
}

double latency_quantile_us(const HistogramValue& histogram, double quantile) {
  const uint64_t all = std::accumulate(histogram.counts.begin(), histogram.counts.end(), uint64_t{0});
  if (all == 0) return 0;
  const auto bounds = latency_bounds_us();
  double left = quantile * static_cast<double>(all);
  for (size_t i = 0; i < std::min(bounds.size(), histogram.counts.size()); ++i) {
    left -= static_cast<double>(histogram.counts[i]);
    if (left <= 0 && histogram.counts[i] > 0) return bounds[i];
  }
  return bounds.back();
}

}  // namespace modelmill
