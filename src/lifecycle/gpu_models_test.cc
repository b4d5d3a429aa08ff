#include "lifecycle/gpu_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(GpuModels, AsTheDriverTellsThem) {
  const TempFolder folder;
  folder.write("gpus/0000:65:00.0/information", "Model: \t\t NVIDIA H200 \nIRQ:   \t\t 231\n");
  folder.write("gpus/0000:04:00.0/information", "IRQ: 7\nModel: \t NVIDIA A100-SXM4-80GB\n");
  folder.write("gpus/0000:05:00.0/information", "Model:\n");
  folder.write("gpus/0000:06:00.0/power", "");
  EXPECT_THAT(gpu_models(folder / "gpus"), ElementsAre("NVIDIA A100-SXM4-80GB", "NVIDIA H200"));
  EXPECT_THAT(gpu_models(folder / "nothing"), IsEmpty());
}

TEST(GpuModels, TheSizeOfOne) {
  EXPECT_EQ(gpu_size(std::nullopt), "");
  EXPECT_EQ(gpu_size(DeviceMemory::Told({uint64_t{80} << 30, 0, "GPU-1"})), "80 GiB");
  EXPECT_EQ(gpu_size(DeviceMemory::Told({(uint64_t{80} << 30) - (200 << 20), 5, "GPU-2"})), "80 GiB");
  EXPECT_EQ(gpu_size(DeviceMemory::Told({uint64_t{40} << 30, 0, ""})), "40 GiB");
}

}  // namespace
}  // namespace modelmill
