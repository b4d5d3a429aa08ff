#include "dialect/torchserve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::torchserve {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TorchMetrics, TellOfGpus) {
  std::vector<GpuReading> gpus(2);
  gpus[0].utilization = 0.5;
  gpus[0].memory_total = uint64_t{8} << 20;
  gpus[0].memory_used = uint64_t{2} << 20;
  gpus[1].index = 1;
  TorchMetrics metrics([&gpus] { return gpus; });
  testing::FakeCatalog catalog;
  const std::string page = metrics.render(catalog.catalog());
  EXPECT_THAT(page, ContainsRegex("GPUUtilization\\{Level=\"Host\",DeviceId=\"0\",Hostname=\"[^\"]*\"\\} 50"));
  EXPECT_THAT(page, ContainsRegex("GPUMemoryUsed\\{[^}]*\\} 2\n"));
  EXPECT_THAT(page, ContainsRegex("GPUMemoryUtilization\\{[^}]*\\} 25\n"));
  EXPECT_THAT(page, Not(HasSubstr("DeviceId=\"1\""))) << "it tells nothing";
  gpus.clear();
  EXPECT_THAT(metrics.render(catalog.catalog()), Not(HasSubstr("GPU")));
}

TEST(TorchMetrics, TheThreadsTimeIsWhatIsLeft) {
  TorchMetrics metrics([] { return std::vector<GpuReading>(); });
  testing::FakeCatalog catalog;
  catalog.add(testing::simple_description("m"));
  RequestTimes times;
  times.queued = TimePoint{} + std::chrono::seconds(1);
  times.compute_start = times.queued + std::chrono::milliseconds(3);
  times.compute_end = times.compute_start + std::chrono::milliseconds(4);
  metrics.answered(*metrics.asked("m", ""), times, std::chrono::milliseconds(9));
  const std::string page = metrics.render(catalog.catalog());
  EXPECT_THAT(page, ContainsRegex("WorkerThreadTime\\{[^}]*\\} 2\n"));
  EXPECT_THAT(page, ContainsRegex("QueueTime\\{[^}]*\\} 3\n"));
  EXPECT_THAT(page, ContainsRegex("PredictionTime\\{[^}]*\\} 4\n"));
}

}  // namespace
}  // namespace modelmill::torchserve
