#include "server/host_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/metrics.h"
#include "server/process_metrics.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A machine made of files.
class HostInfoTest : public ::testing::Test {
 protected:
  HostInfoTest() {
    root_ = fs::path(::testing::TempDir()) /
            (std::string("host_info_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    paths_ = {(root_ / "proc").string(), (root_ / "cgroup").string(), (root_ / "dev").string()};
  }
  ~HostInfoTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_;
  HostPaths paths_;
};

TEST_F(HostInfoTest, AnEmptyMachineIsNoReasonToFail) {
  const HostInfo host = read_host_info(paths_);
  EXPECT_GE(host.usable_cores, 1);
  EXPECT_EQ(host.memory_limit_bytes, 0u);
  EXPECT_TRUE(host.gpus.empty());
  EXPECT_EQ(read_process_use(paths_).open_files, 0u);
  EXPECT_EQ(read_machine_use(paths_).cpu_ticks_total, 0u);
}

TEST_F(HostInfoTest, ReadsProcessorAndMemory) {
  write("proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Test CPU 9000\nflags\t\t: fpu sse4_2 avx2 avx512f foo amx_tile\n\n"
        "processor\t: 1\nmodel name\t: Test CPU 9000\nflags\t\t: none\n");
  write("proc/meminfo", "MemTotal:       1024 kB\nMemFree: 5 kB\nMemAvailable:    512 kB\n");
  const HostInfo host = read_host_info(paths_);
  EXPECT_EQ(host.cpu_model, "Test CPU 9000");
  EXPECT_THAT(host.cpu_features, ElementsAre("sse4_2", "avx2", "avx512f", "amx_tile"));
  EXPECT_EQ(host.memory_bytes, 1024u * 1024);
  EXPECT_EQ(read_machine_use(paths_).memory_available_bytes, 512u * 1024);
}

TEST_F(HostInfoTest, TheTightestControlGroupCounts) {
  write("proc/meminfo", "MemTotal: 1000000 kB\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("cgroup/cpu.max", "max 100000\n");
  write("cgroup/a/cpu.max", "50000 100000\n");
  write("cgroup/a/b/cpu.max", "800000 100000\n");
  write("cgroup/a/memory.max", "4096\n");
  write("cgroup/a/b/memory.max", "max\n");
  const HostInfo host = read_host_info(paths_);
  EXPECT_EQ(host.usable_cores, 1);
  EXPECT_EQ(host.memory_limit_bytes, 4096u);
}

TEST_F(HostInfoTest, ReadsControlGroupsOfVersionOne) {
  write("proc/meminfo", "MemTotal: 1000000 kB\n");
  write("proc/self/cgroup", "4:memory:/x\n");
  write("cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  write("cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const HostInfo host = read_host_info(paths_);
  EXPECT_EQ(host.usable_cores, 1);
  EXPECT_EQ(host.memory_limit_bytes, 0u);
}

TEST_F(HostInfoTest, NoQuotaIsNoLimit) {
  write("cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(usable_cores(paths_), usable_cores({"/none", "/none", "/none"}));
}

TEST_F(HostInfoTest, FindsGpus) {
  write("proc/driver/nvidia/version", "NVRM version: NVIDIA 560.1\nGCC version: 12\n");
  write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Test GPU\nIRQ: 1\n");
  const HostInfo host = read_host_info(paths_);
  EXPECT_EQ(host.gpu_driver, "NVIDIA 560.1");
  EXPECT_THAT(host.gpus, ElementsAre("Test GPU"));
}

TEST_F(HostInfoTest, FindsGpusByTheirDevicesInAContainer) {
  write("dev/nvidia0", "");
  write("dev/nvidiactl", "");
  EXPECT_THAT(read_host_info(paths_).gpus, ElementsAre((root_ / "dev/nvidia0").string()));
}

TEST_F(HostInfoTest, ReadsTheProcessBehindAnAwkwardName) {
  write("proc/self/stat",
        "42 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 7 0 300 4096 3 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
  write("proc/stat", "cpu  10 0 20 60 10 0 0 0 0 0\nbtime 1000\n");
  write("proc/self/fd/0", "");
  write("proc/self/fd/1", "");
  const ProcessUse use = read_process_use(paths_);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(use.cpu_seconds, 200 / ticks);
  EXPECT_EQ(use.threads, 7u);
  EXPECT_EQ(use.virtual_bytes, 4096u);
  EXPECT_EQ(use.resident_bytes, 3u * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(use.start_time_seconds, 1000 + 300 / ticks);
  EXPECT_EQ(use.open_files, 2u);
  const MachineUse machine = read_machine_use(paths_);
  EXPECT_EQ(machine.cpu_ticks_total, 100u);
  EXPECT_EQ(machine.cpu_ticks_busy, 30u);
}

TEST(ProcessMetrics, AreReadAtEachRendering) {
  MetricRegistry registry;
  add_process_metrics(registry);
  const std::string text = registry.render();
  for (const char* name : {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
                           "process_start_time_seconds", "nv_cpu_memory_total_bytes", "nv_cpu_memory_used_bytes"}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name) + " ")) << text;
  }
  EXPECT_THAT(text, HasSubstr("modelmill_build_info{version=\""));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("process_resident_memory_bytes 0\n")));
}

TEST(ProcessMetrics, TheMachineIsToldOfWhereThatIsWanted) {
  MetricRegistry registry;
  add_process_metrics(registry, false);
  EXPECT_THAT(registry.render(), ::testing::Not(HasSubstr("nv_cpu")));
  EXPECT_THAT(registry.render(), HasSubstr("process_open_fds "));
}

TEST(ProcessMetrics, ThereIsNoPoolOfPinnedMemory) {
  MetricRegistry registry;
  add_pinned_pool_metrics(registry);
  EXPECT_THAT(registry.render(), HasSubstr("\nnv_pinned_memory_pool_total_bytes 0\n"));
  EXPECT_THAT(registry.render(), HasSubstr("\nnv_pinned_memory_pool_used_bytes 0\n"));
}

}  // namespace
}  // namespace modelmill
