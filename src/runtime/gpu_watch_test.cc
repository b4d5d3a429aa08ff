#include "runtime/gpu_watch.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace modelmill {
namespace {

/// Two GPUs, of which the second tells only its name and its memory.
GpuWatch::Library two_gpus() {
  GpuWatch::Library library;
  library.init = [] { return 0; };
  library.count = [](unsigned* count) { return *count = 2, 0; };
  library.device = [](unsigned index, void** device) {
    static int devices[2] = {0, 1};
    return *device = &devices[index], 0;
  };
  library.uuid = [](void* device, char* text, unsigned size) {
    std::snprintf(text, size, "GPU-%d", *static_cast<int*>(device));
    return 0;
  };
  library.utilization = [](void* device, GpuWatch::Library::Utilization* use) {
    return *use = {75, 10}, *static_cast<int*>(device);
  };
  library.memory = [](void*, GpuWatch::Library::Memory* memory) { return *memory = {1000, 600, 400}, 0; };
  library.power = [](void* device, unsigned* mw) { return *mw = 250'500, *static_cast<int*>(device); };
  library.energy = [](void* device, unsigned long long* mj) { return *mj = 3'000, *static_cast<int*>(device); };
  return library;
}

TEST(GpuWatch, ReadsWhatTheLibraryTells) {
  const auto readings = GpuWatch(two_gpus()).read();
  ASSERT_EQ(readings.size(), 2U);
  EXPECT_EQ(readings[0].uuid, "GPU-0");
  EXPECT_EQ(readings[0].utilization, 0.75);
  EXPECT_EQ(readings[0].memory_used, 400U);
  EXPECT_EQ(readings[0].power_watts, 250.5);
  EXPECT_EQ(readings[0].power_limit_watts, std::nullopt) << "a function that the library lacks";
  EXPECT_EQ(readings[0].energy_joules, 3);
  EXPECT_EQ(readings[1].index, 1U);
  EXPECT_EQ(readings[1].uuid, "GPU-1");
  EXPECT_EQ(readings[1].utilization, std::nullopt) << "one that fails";
  EXPECT_EQ(readings[1].memory_total, 1000U);
}

TEST(GpuWatch, NothingWithoutTheLibraryOrItsDriver) {
  EXPECT_TRUE(GpuWatch({}).read().empty());
  GpuWatch::Library library = two_gpus();
  library.init = [] { return 9; };
  EXPECT_TRUE(GpuWatch(library).read().empty());
}

}  // namespace
}  // namespace modelmill
