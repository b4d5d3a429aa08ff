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

Counter& ServingMetrics::count_of(const std::string& model, Model& series, Code code) {
  auto& count = series.counts[static_cast<size_t>(code)];
  if (!count)
    count =
        registry_.counter(kCount, "Requests by their status.", {{"model_name", model}, {"status", code_name(code)}});
  return *count;
}

std::shared_ptr<Histogram> ServingMetrics::times_of(const std::string& model, Model& series, std::string_view api,
                                                    std::string_view entrypoint) {
  for (const Times& known : series.times)
    if (known.api == api && known.entrypoint == entrypoint) return known.histogram;
  Times& made = series.times.emplace_back(Times{std::string(api), std::string(entrypoint), nullptr});
  made.histogram =
      registry_.histogram(kLatency, "Microseconds of requests that succeeded.",
                          {{"model_name", model}, {"API", made.api}, {"entrypoint", made.entrypoint}}, bounds());
  return made.histogram;
}

void ServingMetrics::answered(const std::string& model, std::string_view api, std::string_view entrypoint,
                              const Status& status, Duration time) {
  std::shared_ptr<Histogram> histogram;
  {
    const MutexLock lock(mutex_);
    Model& series = models_[model];
    count_of(model, series, status.code()).add();
    if (!status.ok()) return;
    histogram = times_of(model, series, api, entrypoint);
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
