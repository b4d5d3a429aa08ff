#include "server/process_metrics.h"

#include <sys/resource.h>

#include "server/version.h"

namespace modelmill {
namespace {

/// The series and the readings they were last set from. Used under `mutex` only: renderings may overlap.
struct Readings {
  Readings(MetricRegistry& registry, bool machine)
      : cpu_seconds(
            registry.counter("process_cpu_seconds_total", "User and system CPU time of the process, in seconds", {})),
        resident(registry.gauge("process_resident_memory_bytes", "Memory of the process in RAM, in bytes", {})),
        virtual_memory(registry.gauge("process_virtual_memory_bytes", "Address space of the process, in bytes", {})),
        open_files(registry.gauge("process_open_fds", "Open file descriptors", {})),
        max_files(registry.gauge("process_max_fds", "Limit of open file descriptors", {})),
        threads(registry.gauge("process_threads", "Threads of the process", {})),
        start_time(registry.gauge("process_start_time_seconds", "When the process began, in Unix time", {})) {
    if (!machine) return;
    cpu_utilization = registry.gauge("nv_cpu_utilization", "CPU utilization rate [0.0 - 1.0]", {});
    memory_total = registry.gauge("nv_cpu_memory_total_bytes", "CPU total memory (RAM), in bytes", {});
    memory_used = registry.gauge("nv_cpu_memory_used_bytes", "CPU used memory (RAM), in bytes", {});
  }

  std::shared_ptr<Counter> cpu_seconds;
  std::shared_ptr<Gauge> resident, virtual_memory, open_files, max_files, threads, start_time;
  std::shared_ptr<Gauge> cpu_utilization, memory_total, memory_used;  // null: the machine is not told of
  std::shared_ptr<Gauge> build;
  Mutex mutex;
  MachineUse last MM_GUARDED_BY(mutex);

  void update(const HostPaths& paths) MM_EXCLUDES(mutex) {
    const ProcessUse process = read_process_use(paths);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    MutexLock lock(mutex);
    if (const double more = process.cpu_seconds - cpu_seconds->value(); more > 0) cpu_seconds->add(more);
    resident->set(static_cast<double>(process.resident_bytes));
    virtual_memory->set(static_cast<double>(process.virtual_bytes));
    open_files->set(static_cast<double>(process.open_files));
    max_files->set(static_cast<double>(files.rlim_cur));
    threads->set(static_cast<double>(process.threads));
    start_time->set(process.start_time_seconds);
    if (memory_total) update_machine(read_machine_use(paths));
  }

  void update_machine(const MachineUse& machine) MM_REQUIRES(mutex) {
    memory_total->set(static_cast<double>(machine.memory_total_bytes));
    memory_used->set(static_cast<double>(machine.memory_total_bytes - machine.memory_available_bytes));
    if (machine.cpu_ticks_total > last.cpu_ticks_total) {
      cpu_utilization->set(static_cast<double>(machine.cpu_ticks_busy - last.cpu_ticks_busy) /
                           static_cast<double>(machine.cpu_ticks_total - last.cpu_ticks_total));
      last = machine;
    }
  }
};

}  // namespace

void add_process_metrics(MetricRegistry& registry, bool machine, HostPaths paths) {
  auto readings = std::make_shared<Readings>(registry, machine);
  readings->build = registry.gauge("modelmill_build_info", "1, labelled with the version of the server",
                                   {{"version", server_version()}, {"compiler", __VERSION__}});
  readings->build->set(1);
  registry.on_collect([readings, paths = std::move(paths)] { readings->update(paths); });
}

void add_pinned_pool_metrics(MetricRegistry& registry) {
  const auto total = registry.gauge("nv_pinned_memory_pool_total_bytes",
                                    "Pinned memory pool total memory size, in bytes: there is no pool", {});
  const auto used = registry.gauge("nv_pinned_memory_pool_used_bytes",
                                   "Pinned memory pool used memory size, in bytes: there is no pool", {});
  registry.on_collect([total, used] {});  // series last as long as somebody holds them
}

}  // namespace modelmill
