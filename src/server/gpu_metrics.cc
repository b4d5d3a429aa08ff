#include "server/gpu_metrics.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"

namespace modelmill {
namespace {

/// The series of each GPU, made when it first tells them. Used under `mutex` only: renderings may overlap.
struct GpuSeries {
  struct Gpu {
    std::shared_ptr<Gauge> utilization, power, power_limit;
    std::shared_ptr<Counter> energy;
    double energy_before = 0;
  };

  explicit GpuSeries(MetricRegistry& r) : registry(r) {}

  void update(const std::vector<GpuReading>& readings) MM_EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    for (const GpuReading& reading : readings) {
      Gpu& gpu = gpus[reading.uuid];
      const MetricLabels labels{{"gpu_uuid", reading.uuid}, {"gpu", std::to_string(reading.index)}};
      const auto set = [&](std::shared_ptr<Gauge>& gauge, const char* name, const char* help,
                           const std::optional<double>& value) {
        if (!value) return;
        if (!gauge) gauge = registry.gauge(name, help, labels);
        gauge->set(*value);
      };
      set(gpu.utilization, "nv_gpu_utilization", "GPU utilization rate [0.0 - 1.0]", reading.utilization);
      set(gpu.power, "nv_gpu_power_usage", "GPU power usage in watts", reading.power_watts);
      set(gpu.power_limit, "nv_gpu_power_limit", "GPU power management limit in watts", reading.power_limit_watts);
      if (!reading.energy_joules) continue;
      if (!gpu.energy) {
        gpu.energy =
            registry.counter("nv_energy_consumption", "GPU energy consumption in joules since the first look", labels);
        gpu.energy_before = *reading.energy_joules;
      }
      const double more = *reading.energy_joules - std::exchange(gpu.energy_before, *reading.energy_joules);
      if (more > 0) gpu.energy->add(more);
    }
  }

  MetricRegistry& registry;
  Mutex mutex;
  std::map<std::string, Gpu> gpus MM_GUARDED_BY(mutex);
};

}  // namespace

void add_gpu_metrics(MetricRegistry& registry, std::function<std::vector<GpuReading>()> read) {
  auto series = std::make_shared<GpuSeries>(registry);
  registry.on_collect([series, read = std::move(read)] { series->update(read()); });
}

}  // namespace modelmill
