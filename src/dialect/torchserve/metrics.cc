#include "dialect/torchserve/metrics.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "dialect/torchserve/model_version.h"

namespace modelmill::torchserve {
namespace {

constexpr double kMebi = 1 << 20;
constexpr double kGibi = 1 << 30;

enum Machine { kProcessor, kMemoryUsed, kMemoryFree, kMemoryShare, kDiskUsed, kDiskFree, kDiskShare };

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

double microseconds(Duration time) { return static_cast<double>(to_ns(time)) / 1000; }

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

/// The processors' time since the machine started: what was busy, and all.
std::pair<uint64_t, uint64_t> processor_time() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  file >> cpu;
  uint64_t all = 0, idle = 0, value = 0;
  for (int i = 0; i < 8 && file >> value; ++i) {
    all += value;
    if (i == 3 || i == 4) idle += value;
  }
  return {all - idle, all};
}

/// Bytes of memory: all, and what is available.
std::pair<double, double> memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  double kib = 0, all = 0, available = 0;
  while (file >> name >> kib && std::getline(file, unit)) {
    if (name == "MemTotal:") all = kib * 1024;
    if (name == "MemAvailable:") available = kib * 1024;
  }
  return {all, available};
}

}  // namespace

TorchMetrics::TorchMetrics(std::function<std::vector<GpuReading>()> read_gpus)
    : read_gpus_(std::move(read_gpus)), host_(host_name()) {
  const MetricLabels host{{"Level", "Host"}, {"Hostname", host_}};
  constexpr std::array<const char*, 3> kReplies = {"Requests2XX", "Requests4XX", "Requests5XX"};
  for (size_t i = 0; i < kReplies.size(); ++i)
    replies_[i] = registry_.counter(kReplies[i], "Replies over HTTP by the class of their status.", host);
  queue_time_ = registry_.gauge("QueueTime", "Milliseconds that the last request waited.", host);
  worker_thread_time_ = registry_.gauge("WorkerThreadTime",
                                        "Milliseconds of the last inference in which it neither waited nor ran.", host);
  constexpr std::array<std::pair<const char*, const char*>, 7> kMachine = {
      {{"CPUUtilization", "Percent of the processors' time that was busy since the last look."},
       {"MemoryUsed", "Megabytes."},
       {"MemoryAvailable", "Megabytes."},
       {"MemoryUtilization", "Percent."},
       {"DiskUsage", "Gigabytes of the root file system."},
       {"DiskAvailable", "Gigabytes of the root file system."},
       {"DiskUtilization", "Percent of the root file system."}}};
  for (size_t i = 0; i < kMachine.size(); ++i)
    machine_[i] = registry_.gauge(kMachine[i].first, kMachine[i].second, host);
}

void TorchMetrics::replied(int status) {
  if (status < 200) return;
  replies_[status < 300 ? 0 : status >= 400 && status < 500 ? 1 : 2]->add();
}

TorchMetrics::SeriesRef TorchMetrics::series(const std::string& model, std::string_view version) {
  if (version.empty()) version = "default";
  const MutexLock lock(mutex_);
  auto& versions = models_[model];
  if (const auto known = versions.find(version); known != versions.end()) return known->second;
  const MetricLabels labels{{"model_name", model}, {"model_version", std::string(version)}, {"hostname", host_}};
  Series made;
  made.requests = registry_.counter("ts_inference_requests_total", "Inferences that were asked for.", labels);
  made.latency = registry_.counter("ts_inference_latency_microseconds", "Time of inferences, all together.", labels);
  made.queue_latency =
      registry_.counter("ts_queue_latency_microseconds", "Time that inferences waited, all together.", labels);
  made.prediction_time = registry_.gauge("PredictionTime", "Milliseconds that the model took for the last inference.",
                                         {{"ModelName", model}, {"Level", "Model"}, {"Hostname", host_}});
  return versions.emplace(version, std::make_shared<const Series>(std::move(made))).first->second;
}

TorchMetrics::SeriesRef TorchMetrics::asked(const std::string& model, std::string_view version) {
  SeriesRef found = series(model, version);
  found->requests->add();
  return found;
}

void TorchMetrics::answered(const Series& series, const RequestTimes& times, Duration time) {
  const bool ran = times.compute_start != TimePoint{} && times.queued != TimePoint{};
  const Duration queued = ran ? times.compute_start - times.queued : Duration{};
  queue_time_->set(microseconds(queued) / 1000);
  if (ran && times.compute_end != TimePoint{})
    worker_thread_time_->set(microseconds(std::max(Duration{}, time - (times.compute_end - times.queued))) / 1000);
  series.latency->add(microseconds(time));
  series.queue_latency->add(microseconds(queued));
  if (ran && times.compute_end != TimePoint{})
    series.prediction_time->set(microseconds(times.compute_end - times.compute_start) / 1000);
}

void TorchMetrics::look_at_machine() {
  const auto now = processor_time();
  {
    const MutexLock lock(mutex_);
    machine_[kProcessor]->set(percent(static_cast<double>(now.first - processor_.first),
                                      static_cast<double>(now.second - processor_.second)));
    processor_ = now;
  }
  const auto [all, available] = memory();
  machine_[kMemoryUsed]->set((all - available) / kMebi);
  machine_[kMemoryFree]->set(available / kMebi);
  machine_[kMemoryShare]->set(percent(all - available, all));
  struct statvfs disk = {};
  if (::statvfs("/", &disk) != 0) return;
  const double block = static_cast<double>(disk.f_frsize);
  const double used = static_cast<double>(disk.f_blocks - disk.f_bfree) * block;
  const double free = static_cast<double>(disk.f_bavail) * block;
  machine_[kDiskUsed]->set(used / kGibi);
  machine_[kDiskFree]->set(free / kGibi);
  machine_[kDiskShare]->set(percent(used, used + free));
}

void TorchMetrics::look_at_gpus(const std::vector<GpuReading>& readings) {
  std::vector<std::shared_ptr<Gauge>> gauges;
  for (const GpuReading& reading : readings) {
    const auto set = [&](const char* name, const char* help, double value) {
      const MetricLabels labels{{"Level", "Host"}, {"DeviceId", std::to_string(reading.index)}, {"Hostname", host_}};
      auto gauge = registry_.gauge(name, help, labels);
      gauge->set(value);
      gauges.push_back(std::move(gauge));
    };
    if (reading.utilization) set("GPUUtilization", "Percent of the GPU's time.", 100 * *reading.utilization);
    if (!reading.memory_total || !reading.memory_used) continue;
    const auto used = static_cast<double>(*reading.memory_used);
    set("GPUMemoryUsed", "Megabytes.", used / kMebi);
    set("GPUMemoryUtilization", "Percent.", percent(used, static_cast<double>(*reading.memory_total)));
  }
  gpus_ = std::move(gauges);  // the series of those that are gone go with what is replaced
}

void TorchMetrics::look_at_workers(const ModelTable& table) {
  worker_load_times_.clear();
  for (const ModelEntry* const entry : table.entries()) {
    for (const auto& version : entry->versions) {
      const VersionPin pin(version);
      if (!pin) continue;
      const std::string of = "-" + entry->name + "_" + version_text(*entry, version->version());
      const double ms = microseconds(version->stats().load_time()) / 1000;
      for (int i = 0; i < pin->load().instances; ++i) {
        const MetricLabels labels{
            {"WorkerName", "W-" + std::to_string(i) + of}, {"Level", "Host"}, {"Hostname", host_}};
        auto gauge = registry_.gauge("WorkerLoadTime", "Milliseconds that loading took.", labels);
        gauge->set(ms);
        worker_load_times_.push_back(std::move(gauge));
      }
    }
  }
}

std::string TorchMetrics::render(const Catalog& catalog) {
  look_at_machine();
  const auto gpus = read_gpus_();
  const auto table = catalog.table();
  {
    const MutexLock lock(mutex_);
    std::erase_if(models_, [&](const auto& model) { return table->find(model.first) == nullptr; });
    look_at_workers(*table);
    look_at_gpus(gpus);
  }
  return registry_.render();
}

}  // namespace modelmill::torchserve
