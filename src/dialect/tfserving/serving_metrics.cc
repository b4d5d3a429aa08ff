#include "dialect/tfserving/serving_metrics.h"

#include <span>
#include <vector>

namespace modelmill::tfserving {
namespace {

constexpr const char* kCount = ":tensorflow:serving:request_count";
constexpr const char* kLatency = ":tensorflow:serving:request_latency";

std::vector<double> powers(double first, double factor, size_t count) {
  std::vector<double> out{first};
  while (out.size() < count) out.push_back(out.back() * factor);
  return out;
}

/// From 10 microseconds on, each 1.8 times the one before.
std::span<const double> bounds() {
  static const std::vector<double> all = powers(10, 1.8, 33);
  return all;
}

std::span<const double> example_bounds() {
  static const std::vector<double> all = powers(1, 2, 15);
  return all;
}

double in_microseconds(Duration time) { return static_cast<double>(to_ns(time)) / 1000; }

}  // namespace

ServingMetrics::ServingMetrics()
    : graph_runs_(registry_.counter(":tensorflow:core:graph_runs", "Executions of all models.", {})),
      graph_run_time_(registry_.counter(":tensorflow:core:graph_run_time_usecs",
                                        "Microseconds of executions of all models.", {})) {}

void ServingMetrics::tell_of(ServerCounts counts) {
  const MutexLock lock(mutex_);
  server_ = std::make_unique<ServerSeries>(registry_, std::move(counts));
}

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
  histogram->observe(in_microseconds(time));
}

void ServingMetrics::ran(const std::string& model, std::string_view api, const std::string& runtime,
                         const RequestTimes& times) {
  if (times.compute_start == TimePoint{} || times.compute_end == TimePoint{}) return;
  std::shared_ptr<Histogram> histogram;
  {
    const MutexLock lock(mutex_);
    auto& runs = models_[model].runs[std::string(api) + " " + runtime];
    if (!runs)
      runs = registry_.histogram(":tensorflow:serving:runtime_latency", "Microseconds that what was asked has run.",
                                 {{"model_name", model}, {"API", std::string(api)}, {"runtime", runtime}}, bounds());
    histogram = runs;
  }
  histogram->observe(in_microseconds(times.compute_end - times.compute_start));
}

void ServingMetrics::had_examples(const std::string& model, size_t count) {
  const MutexLock lock(mutex_);
  Model& series = models_[model];
  if (!series.examples) {
    series.example_counts = registry_.histogram(":tensorflow:serving:request_example_counts", "Examples of a request.",
                                                {{"model", model}}, example_bounds());
    series.examples = registry_.counter(":tensorflow:serving:request_example_count_total", "Examples, all together.",
                                        {{"model", model}});
  }
  series.example_counts->observe(static_cast<double>(count));
  series.examples->add(static_cast<double>(count));
}

/// Counts on from what was counted before, also where versions go.
void ServingMetrics::look_at_runs(const ModelTable& table) {
  std::map<std::pair<std::string, int64_t>, Runs> now;
  for (const ModelEntry* const entry : table.entries()) {
    for (const auto& version : entry->versions) {
      const VersionStats::View view = version->stats().view();
      Runs& runs = now[{entry->name, version->version()}];
      runs = {view.execution_count, view.compute_infer.ns};
      const auto seen = runs_.find({entry->name, version->version()});
      const bool goes_on = seen != runs_.end() && seen->second.count <= runs.count && seen->second.ns <= runs.ns;
      const Runs before = goes_on ? seen->second : Runs{};
      graph_runs_->add(static_cast<double>(runs.count - before.count));
      graph_run_time_->add(static_cast<double>(runs.ns - before.ns) / 1000);
    }
  }
  runs_ = std::move(now);
}

std::string ServingMetrics::render(const Catalog& catalog) {
  const auto table = catalog.table();
  {
    const MutexLock lock(mutex_);
    std::erase_if(models_, [&](const auto& model) { return table->find(model.first) == nullptr; });
    look_at_runs(*table);
    if (server_) server_->look(*table);
  }
  return registry_.render();
}

}  // namespace modelmill::tfserving
