#include "server/gpu_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(GpuMetrics, HaveTritonsNames) {
  MetricRegistry registry;
  double energy = 1000;
  add_gpu_metrics(registry, [&energy] {
    GpuReading busy{.index = 0, .uuid = "GPU-a"};
    busy.utilization = 0.25;
    busy.power_watts = 120.5;
    busy.energy_joules = energy;
    return std::vector<GpuReading>{busy, {.index = 1, .uuid = "GPU-b"}};
  });
  const std::string first = registry.render();
  EXPECT_THAT(first, HasSubstr(R"(nv_gpu_utilization{gpu_uuid="GPU-a",gpu="0"} 0.25)"));
  EXPECT_THAT(first, HasSubstr(R"(nv_gpu_power_usage{gpu_uuid="GPU-a",gpu="0"} 120.5)"));
  EXPECT_THAT(first, HasSubstr(R"(nv_energy_consumption{gpu_uuid="GPU-a",gpu="0"} 0)"));
  EXPECT_THAT(first, Not(HasSubstr("nv_gpu_power_limit"))) << "nobody tells it";
  EXPECT_THAT(first, Not(HasSubstr("GPU-b")));
  energy = 1012;
  EXPECT_THAT(registry.render(), HasSubstr(R"(nv_energy_consumption{gpu_uuid="GPU-a",gpu="0"} 12)"));
  energy = 3;  // the driver was loaded anew
  EXPECT_THAT(registry.render(), HasSubstr(R"(nv_energy_consumption{gpu_uuid="GPU-a",gpu="0"} 12)"));
}

}  // namespace
}  // namespace modelmill
