#include "catalog/cache_counts.h"

#include <cmath>
#include <string>

#include "runtime/latency_histogram.h"

namespace modelmill {

CacheCounts::CacheCounts(bool recent) {
  if (recent) recent_ = std::make_unique<std::array<RecentLatencies, kOutcomes>>();
}

void CacheCounts::record(Outcome outcome, uint64_t ns, TimePoint now) {
  Part& part = parts_[thread_slot() % kParts];
  part.count[outcome].fetch_add(1, std::memory_order_relaxed);
  part.ns[outcome].fetch_add(ns, std::memory_order_relaxed);
  if (recent_) (*recent_)[outcome].record(ns, 1, now);
}

uint64_t CacheCounts::count(Outcome outcome) const {
  uint64_t total = 0;
  for (const Part& part : parts_) total += part.count[outcome].load(std::memory_order_acquire);
  return total;
}

uint64_t CacheCounts::ns(Outcome outcome) const {
  uint64_t total = 0;
  for (const Part& part : parts_) total += part.ns[outcome].load(std::memory_order_acquire);
  return total;
}

SummaryValue CacheCounts::summary(Outcome outcome, const std::vector<double>& quantiles, TimePoint now) const {
  SummaryValue value{{}, count(outcome), static_cast<double>(ns(outcome)) / 1e3};
  const LatencyCounts counts = recent_ ? (*recent_)[outcome].counts(now) : LatencyCounts();
  for (const double quantile : quantiles)
    value.quantiles.emplace_back(quantile, counts.empty() ? std::nan("") : quantile_us(counts, quantile));
  return value;
}

std::vector<MetricRegistry::Handle> add_cache_series(const std::shared_ptr<const CacheCounts>& counts,
                                                     MetricRegistry& registry, const MetricLabels& labels,
                                                     const SeriesSettings& settings, TimeSource& time) {
  struct Names {
    CacheCounts::Outcome outcome;
    const char *number, *number_help, *duration, *duration_help, *summary, *summary_help;
  };
  constexpr std::array<Names, CacheCounts::kOutcomes> kNames{{
      {CacheCounts::kHit, "nv_cache_num_hits_per_model", "Requests answered out of the response cache",
       "nv_cache_hit_duration_per_model", "Microseconds spent finding their answers", "nv_cache_hit_summary_per_model",
       "Microseconds to find an answer, with quantiles of the last minute"},
      {CacheCounts::kMiss, "nv_cache_num_misses_per_model", "Requests whose answer was not in the response cache",
       "nv_cache_miss_duration_per_model", "Microseconds spent looking for their answers, and keeping them",
       "nv_cache_miss_summary_per_model",
       "Microseconds to look for an answer in vain and to keep it, with quantiles of the last minute"},
  }};
  std::vector<MetricRegistry::Handle> out;
  for (const Names& names : kNames) {
    const CacheCounts::Outcome outcome = names.outcome;
    if (settings.counters) {
      out.push_back(registry.counter_from(names.number, names.number_help, labels,
                                          [counts, outcome] { return static_cast<double>(counts->count(outcome)); }));
      out.push_back(registry.counter_from(names.duration, names.duration_help, labels, [counts, outcome] {
        const uint64_t microseconds = counts->ns(outcome) / 1'000;
        return static_cast<double>(microseconds);
      }));
    }
    if (settings.summaries)
      out.push_back(registry.summary_from(names.summary, names.summary_help, labels,
                                          [counts, outcome, quantiles = settings.quantiles, &time] {
                                            return counts->summary(outcome, quantiles, time.now());
                                          }));
  }
  return out;
}

}  // namespace modelmill
