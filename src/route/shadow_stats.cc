#include "route/shadow_stats.h"

#include <algorithm>

namespace modelmill {
namespace {

MetricLabels labels(const std::string& route, const std::string& shadow) {
  return {{"route", route}, {"shadow", shadow}};
}

std::shared_ptr<Histogram> latency(MetricRegistry& metrics, const std::string& route, const std::string& shadow,
                                   const char* of) {
  MetricLabels all = labels(route, shadow);
  all.emplace_back("of", of);
  return metrics.histogram("modelmill_shadow_latency_us",
                           "Microseconds of executions whose answers were compared, of the primary and the shadow", all,
                           latency_bounds_us());
}

HistogramValue value_of(const Histogram& histogram) {
  HistogramValue value;
  for (size_t i = 0; i <= histogram.bounds().size(); ++i) value.counts.push_back(histogram.bucket(i));
  value.sum = histogram.sum();
  return value;
}

double microseconds(Duration duration) { return static_cast<double>(to_ns(duration)) / 1e3; }

uint64_t whole(const Counter& counter) { return static_cast<uint64_t>(counter.value()); }

}  // namespace

ShadowStats::ShadowStats(MetricRegistry& metrics, const std::string& route, const std::string& shadow)
    : compared_(metrics.counter("modelmill_shadow_compared_total", "Answers of a shadow that were compared",
                                labels(route, shadow))),
      disagreed_(
          metrics.counter("modelmill_shadow_disagreed_total", "Answers of them that disagree", labels(route, shadow))),
      shed_(metrics.counter("modelmill_shadow_shed_total", "Copies for a shadow that were given up under load",
                            labels(route, shadow))),
      failed_(metrics.counter("modelmill_shadow_failed_total", "Copies that a shadow failed to answer",
                              labels(route, shadow))),
      not_compared_(metrics.counter("modelmill_shadow_not_compared_total",
                                    "Answers of a shadow that a function failed to compare", labels(route, shadow))),
      primary_us_(latency(metrics, route, shadow, "primary")),
      shadow_us_(latency(metrics, route, shadow, "shadow")),
      worst_(std::make_shared<std::atomic<double>>(0)),
      worst_gauge_(metrics.gauge_from("modelmill_shadow_worst_distance",
                                      "Of the worst answer of a shadow, in what is allowed: above 1 it disagrees",
                                      labels(route, shadow),
                                      [worst = worst_] { return worst->load(std::memory_order_relaxed); })) {}

void ShadowStats::compare_by(const std::map<std::string, OutputComparison>& rules) {
  const MutexLock lock(mutex_);
  if (rules == rules_) return;
  rules_ = rules;
  examples_.clear();
  worst_->store(0, std::memory_order_relaxed);
}

void ShadowStats::compared(bool disagrees, double excess) {
  if (disagrees) disagreed_->add();
  compared_->add();
  double worst = worst_->load(std::memory_order_relaxed);
  while (excess > worst && !worst_->compare_exchange_weak(worst, excess, std::memory_order_relaxed)) {
  }
}

void ShadowStats::took(Duration primary, Duration shadow) {
  if (primary.count() <= 0 || shadow.count() <= 0) return;
  primary_us_->observe(microseconds(primary));
  shadow_us_->observe(microseconds(shadow));
}

void ShadowStats::failed(const Status& why) {
  {
    const MutexLock lock(mutex_);
    last_failure_ = why.message();
  }
  failed_->add();
}

void ShadowStats::not_compared(const Status& why) {
  {
    const MutexLock lock(mutex_);
    last_comparison_failure_ = why.message();
  }
  not_compared_->add();
}

ShadowCounts ShadowStats::counts() const {
  ShadowCounts out;
  // What disagreed is counted first, so it is read last but one here: there are never more of them than compared.
  out.disagreed = whole(*disagreed_);
  out.compared = std::max(whole(*compared_), out.disagreed);
  out.shed = whole(*shed_);
  out.failed = whole(*failed_);
  out.not_compared = whole(*not_compared_);
  out.worst = worst_->load(std::memory_order_relaxed);
  out.primary_us = value_of(*primary_us_);
  out.shadow_us = value_of(*shadow_us_);
  return out;
}

std::string ShadowStats::last_failure() const {
  const MutexLock lock(mutex_);
  return last_failure_;
}

std::string ShadowStats::last_comparison_failure() const {
  const MutexLock lock(mutex_);
  return last_comparison_failure_;
}

std::shared_ptr<ShadowStats> ShadowStatsTable::of(const std::string& route, const std::string& shadow) {
  const MutexLock lock(mutex_);
  std::erase_if(shadows_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<ShadowStats>& kept = shadows_[{route, shadow}];
  std::shared_ptr<ShadowStats> stats = kept.lock();
  if (!stats) kept = stats = std::make_shared<ShadowStats>(metrics_, route, shadow);
  return stats;
}

}  // namespace modelmill
