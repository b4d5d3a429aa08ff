#include "catalog/signature_stats.h"

namespace modelmill {

SignatureStats::SignatureStats(MetricRegistry& registry, const MetricLabels& labels)
    : counts_(std::make_shared<Counts>()) {
  series_.push_back(registry.counter_from(
      "modelmill_signature_requests_total", "Requests for one of several entry points of a version", labels,
      [counts = counts_] { return static_cast<double>(counts->requests.load(std::memory_order_relaxed)); }));
  series_.push_back(registry.gauge_from(
      "modelmill_signature_instances", "Instances of one of several entry points of a version", labels,
      [counts = counts_] { return static_cast<double>(counts->instances.load(std::memory_order_relaxed)); }));
}

}  // namespace modelmill
