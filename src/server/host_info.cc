#include "server/host_info.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

namespace modelmill {
namespace {

namespace fs = std::filesystem;

/// The whole of a small file; empty when it cannot be read. Files of /proc have no size to ask for.
std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

template <typename Function>
void for_each_line(std::string_view text, Function function) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    function(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::optional<uint64_t> to_number(std::string_view text) {
  text = trim(text);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

/// The value after "name" and a colon, of the first such line.
std::string_view colon_value(std::string_view text, std::string_view name) {
  std::string_view found;
  for_each_line(text, [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (found.empty() && colon != std::string_view::npos && trim(line.substr(0, colon)) == name) {
      found = trim(line.substr(colon + 1));
    }
  });
  return found;
}

/// This process's group and its ancestors in the version 2 tree, innermost first; in a container the tree's root is
/// usually the container's own group.
std::vector<fs::path> cgroup_folders(const HostPaths& paths) {
  std::vector<fs::path> folders;
  std::string group = "/";
  for_each_line(read_text(fs::path(paths.proc) / "self/cgroup"), [&](std::string_view line) {
    if (line.substr(0, 3) == "0::") group = std::string(trim(line.substr(3)));
  });
  for (fs::path path = fs::path(group).relative_path();; path = path.parent_path()) {
    folders.push_back(fs::path(paths.cgroup) / path);
    if (path.empty()) return folders;
  }
}

/// CPUs' worth of time per second that the control groups allow; infinity without a limit.
double cgroup_cpus(const HostPaths& paths) {
  double limit = std::numeric_limits<double>::infinity();
  const auto consider = [&](std::optional<uint64_t> quota, std::optional<uint64_t> period) {
    if (quota && period && *quota > 0 && *period > 0) {
      limit = std::min(limit, static_cast<double>(*quota) / static_cast<double>(*period));
    }
  };
  for (const fs::path& folder : cgroup_folders(paths)) {
    const std::string text = read_text(folder / "cpu.max");  // "max 100000" or "150000 100000"
    const size_t space = text.find(' ');
    if (space != std::string::npos) consider(to_number(text.substr(0, space)), to_number(text.substr(space)));
  }
  const fs::path v1 = fs::path(paths.cgroup) / "cpu";
  consider(to_number(read_text(v1 / "cpu.cfs_quota_us")), to_number(read_text(v1 / "cpu.cfs_period_us")));
  return limit;
}

uint64_t cgroup_memory(const HostPaths& paths) {
  uint64_t limit = 0;
  const auto consider = [&](std::optional<uint64_t> bytes) {
    // Version 1 writes "no limit" as a number near 2^63.
    if (bytes && *bytes > 0 && *bytes < (uint64_t{1} << 60)) limit = limit == 0 ? *bytes : std::min(limit, *bytes);
  };
  for (const fs::path& folder : cgroup_folders(paths)) consider(to_number(read_text(folder / "memory.max")));
  consider(to_number(read_text(fs::path(paths.cgroup) / "memory/memory.limit_in_bytes")));
  return limit;
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::vector<std::string> interesting_features(std::string_view flags) {
  static constexpr std::string_view kInteresting[] = {
      "sse4_2",      "avx",         "f16c",        "fma",      "avx2",     "avx_vnni", "avx512f",
      "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd",
      "asimddp",     "bf16",        "i8mm",        "sve",      "sve2"};
  std::set<std::string_view> present;
  while (!flags.empty()) {
    const size_t end = std::min(flags.find(' '), flags.size());
    present.insert(flags.substr(0, end));
    flags.remove_prefix(std::min(end + 1, flags.size()));
  }
  std::vector<std::string> features;
  for (const std::string_view name : kInteresting) {
    if (present.contains(name)) features.emplace_back(name);
  }
  return features;
}

void read_gpus(const HostPaths& paths, HostInfo& info) {
  const fs::path driver = fs::path(paths.proc) / "driver/nvidia";
  const std::string version = read_text(driver / "version");
  info.gpu_driver = std::string(colon_value(version, "NVRM version"));
  std::error_code error;
  for (const fs::directory_entry& gpu : fs::directory_iterator(driver / "gpus", error)) {
    const std::string text = read_text(gpu.path() / "information");
    const std::string_view model = colon_value(text, "Model");
    info.gpus.push_back(model.empty() ? gpu.path().filename().string() : std::string(model));
  }
  if (info.gpus.empty()) {
    for (int i = 0; i < 64; ++i) {
      const fs::path device = fs::path(paths.dev) / ("nvidia" + std::to_string(i));
      if (fs::exists(device, error)) info.gpus.push_back(device.string());
    }
  }
  std::sort(info.gpus.begin(), info.gpus.end());
}

uint64_t kilobytes(std::string_view meminfo, std::string_view name) {
  return to_number(colon_value(meminfo, name)).value_or(0) * 1024;
}

}  // namespace

int usable_cores(const HostPaths& paths) {
  const double cpus = cgroup_cpus(paths);
  const int cores = affinity_cores();
  return cpus < cores ? std::max(1, static_cast<int>(std::ceil(cpus))) : cores;
}

HostInfo read_host_info(const HostPaths& paths) {
  HostInfo info;
  const std::string cpuinfo = read_text(fs::path(paths.proc) / "cpuinfo");
  info.cpu_model = std::string(colon_value(cpuinfo, "model name"));
  std::string_view flags = colon_value(cpuinfo, "flags");
  if (flags.empty()) flags = colon_value(cpuinfo, "Features");  // ARM
  info.cpu_features = interesting_features(flags);
  info.machine_cores = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  info.usable_cores = usable_cores(paths);
  info.memory_bytes = kilobytes(read_text(fs::path(paths.proc) / "meminfo"), "MemTotal");
  info.memory_limit_bytes = cgroup_memory(paths);
  if (info.memory_limit_bytes >= info.memory_bytes) info.memory_limit_bytes = 0;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    info.open_files_soft = files.rlim_cur;
    info.open_files_hard = files.rlim_max;
  }
  read_gpus(paths, info);
  return info;
}

ProcessUse read_process_use(const HostPaths& paths) {
  ProcessUse use;
  const fs::path self = fs::path(paths.proc) / "self";
  // After the command's name, which may hold spaces and parentheses, the fields of stat are numbers: state is field 3.
  const std::string stat = read_text(self / "stat");
  std::vector<std::string_view> fields;
  if (const size_t close = stat.rfind(')'); close != std::string::npos) {
    std::string_view rest = trim(std::string_view(stat).substr(close + 1));
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(' '), rest.size());
      fields.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  const auto field = [&](size_t number) {
    return number - 3 < fields.size() ? to_number(fields[number - 3]).value_or(0) : uint64_t{0};
  };
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  use.cpu_seconds = static_cast<double>(field(14) + field(15)) / ticks;
  use.threads = field(20);
  use.virtual_bytes = field(23);
  use.resident_bytes = field(24) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t boot = 0;
  for_each_line(read_text(fs::path(paths.proc) / "stat"), [&](std::string_view line) {
    if (line.substr(0, 6) == "btime ") boot = to_number(line.substr(6)).value_or(0);
  });
  use.start_time_seconds = static_cast<double>(boot) + static_cast<double>(field(22)) / ticks;
  std::error_code error;
  for (fs::directory_iterator it(self / "fd", error), end; !error && it != end; it.increment(error)) ++use.open_files;
  return use;
}

MachineUse read_machine_use(const HostPaths& paths) {
  MachineUse use;
  const std::string meminfo = read_text(fs::path(paths.proc) / "meminfo");
  use.memory_total_bytes = kilobytes(meminfo, "MemTotal");
  use.memory_available_bytes = kilobytes(meminfo, "MemAvailable");
  std::istringstream stat(read_text(fs::path(paths.proc) / "stat"));
  std::string name;
  stat >> name;
  // user nice system idle iowait irq softirq steal; what follows is counted in user already.
  uint64_t value = 0;
  for (int i = 0; i < 8 && stat >> value; ++i) {
    use.cpu_ticks_total += value;
    if (i != 3 && i != 4) use.cpu_ticks_busy += value;
  }
  return use;
}

}  // namespace modelmill
