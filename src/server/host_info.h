#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modelmill {

/// Where the kernel tells about itself; tests give folders of their own.
struct HostPaths {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
  std::string dev = "/dev";
};

/// The machine as this process may use it.
struct HostInfo {
  std::string cpu_model;
  /// Of the features that runtimes have kernels for, those this CPU has, by the kernel's names ("avx2", "amx_tile").
  std::vector<std::string> cpu_features;
  /// Cores of the machine, and cores that this process may use: its affinity, cut by the limits of its control groups.
  int machine_cores = 1;
  int usable_cores = 1;
  /// Memory of the machine, and the least limit of the control groups (0: none).
  uint64_t memory_bytes = 0;
  uint64_t memory_limit_bytes = 0;
  uint64_t open_files_soft = 0;
  uint64_t open_files_hard = 0;
  /// NVIDIA's driver and devices as the kernel shows them; empty without.
  std::string gpu_driver;
  std::vector<std::string> gpus;
};

HostInfo read_host_info(const HostPaths& paths = {});

/// usable_cores of read_host_info() alone.
int usable_cores(const HostPaths& paths = {});

/// The process's own use, for metrics.
struct ProcessUse {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  double cpu_seconds = 0;
  uint64_t open_files = 0;
  uint64_t threads = 0;
  double start_time_seconds = 0;  // Unix time
};
ProcessUse read_process_use(const HostPaths& paths = {});

/// The machine's counters since it started, for rates and totals.
struct MachineUse {
  uint64_t memory_total_bytes = 0;
  uint64_t memory_available_bytes = 0;
  uint64_t cpu_ticks_busy = 0;
  uint64_t cpu_ticks_total = 0;
};
MachineUse read_machine_use(const HostPaths& paths = {});

}  // namespace modelmill
