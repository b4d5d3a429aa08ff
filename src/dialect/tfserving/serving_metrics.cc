#include "dialect/tfserving/serving_metrics.h"

#include <span>
#include <vector>

namespace modelmill::tfserving {
namespace {

constexpr const char* kCount = ":tensorflow:serving:request_count";
constexpr const char* kLatency = ":tensorflow:serving:request_latency";

/// From 10 microseconds on, each 1.8 times the one before.
std::span<const double> bounds() {
  static const std::vector<double> all = [] {
    std::vector<double> out{10};
    while (out.size() < 33) out.push_back(out.back() * 1.8);
    return out;
  }();
  return all;
}

}  // namespace

void ServingMetrics::answered(const std::string& model, std::string_view api, std::string_view entrypoint,
                              const Status& status, Duration time) {
  const std::string code = code_name(status.code());
  const std::string way = std::string(api) + " " + std::string(entrypoint);
  std::shared_ptr<Histogram> histogram;
  {
    const MutexLock lock(mutex_);
    Model& series = models_[model];
    auto& count = series.counts[code];
    if (!count)
      count = registry_.counter(kCount, "Requests by their status.", {{"model_name", model}, {"status", code}});
    count->add();
    if (!status.ok()) return;
    auto& times = series.times[way];
    if (!times)
      times = registry_.histogram(
          kLatency, "Microseconds of requests that succeeded.",
          {{"model_name", model}, {"API", std::string(api)}, {"entrypoint", std::string(entrypoint)}}, bounds());
    histogram = times;
  }
  histogram->observe(static_cast<double>(to_ns(time)) / 1000);
}

std::string ServingMetrics::render(const Catalog& catalog) {
  const auto table = catalog.table();
  {
    const MutexLock lock(mutex_);
    std::erase_if(models_, [&](const auto& model) { return table->find(model.first) == nullptr; });
  }
  return registry_.render();
}

}  // namespace modelmill::tfserving
