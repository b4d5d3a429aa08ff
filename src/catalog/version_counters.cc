#include "catalog/version_counters.h"

#include <algorithm>
#include <cmath>

namespace modelmill {

void VersionCounters::Latency::record(uint64_t duration_ns, uint64_t times) {
  if (times == 0) return;
  const auto bounds = latency_bounds_us();
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), static_cast<double>(duration_ns) / 1e3);
  add(count, times);
  add(ns, duration_ns * times);
  add(buckets[static_cast<size_t>(bound - bounds.begin())], times);
}

uint64_t VersionCounters::failures(FailureReason first, FailureReason last) const {
  uint64_t total = 0;
  for (auto reason = static_cast<size_t>(first); reason <= static_cast<size_t>(last); ++reason)
    total += sum([reason](const Part& p) -> const Cell& { return p.failures[reason]; });
  return total;
}

uint64_t VersionCounters::pending() const {
  // Dequeued first: a request counted there was counted as queued before, so the difference is never negative.
  const uint64_t out = sum([](const Part& p) -> const Cell& { return p.dequeued; });
  const uint64_t in = sum([](const Part& p) -> const Cell& { return p.queued; });
  return in > out ? in - out : 0;
}

VersionCounters::Phase VersionCounters::phase(int i) const {
  return {sum([i](const Part& p) -> const Cell& { return p.phases[i].count; }),
          sum([i](const Part& p) -> const Cell& { return p.phases[i].ns; })};
}

HistogramValue VersionCounters::phase_histogram(int i) const {
  HistogramValue value;
  for (size_t b = 0; b < kLatencyBuckets; ++b)
    value.counts.push_back(sum([i, b](const Part& p) -> const Cell& { return p.phases[i].buckets[b]; }));
  value.sum = static_cast<double>(phase(i).ns) / 1e3;
  return value;
}

HistogramValue VersionCounters::size_histogram() const {
  HistogramValue value;
  for (size_t b = 0; b < kSizeBuckets; ++b)
    value.counts.push_back(sum([b](const Part& p) -> const Cell& { return p.sizes[b]; }));
  value.sum = static_cast<double>(sum([](const Part& p) -> const Cell& { return p.size_sum; }));
  return value;
}

SummaryValue VersionCounters::phase_summary(int i, const std::vector<double>& quantiles, TimePoint now) const {
  const Phase all = phase(i);
  SummaryValue value{{}, all.count, static_cast<double>(all.ns) / 1e3};
  const LatencyCounts counts = recent ? (*recent)[static_cast<size_t>(i)].counts(now) : LatencyCounts();
  for (const double quantile : quantiles)
    value.quantiles.emplace_back(quantile, counts.empty() ? std::nan("") : quantile_us(counts, quantile));
  return value;
}

}  // namespace modelmill
