#include "lifecycle/machine_gpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MachineGpusTest : public testing::Test {
 protected:
  MachineGpusTest() {
    std::filesystem::create_directories(folder_);
    for (const char* name : {"nvidia2", "nvidia5", "nvidia7", "nvidiactl", "nvidia-uvm", "null"})
      std::ofstream(folder_ / name) << "";
  }
  ~MachineGpusTest() override { std::filesystem::remove_all(folder_); }

  GpuSigns seen() const { return {folder_.string(), {}, false, {}}; }
  std::vector<int> with_visible(const std::string& list) const {
    return machine_gpus({folder_.string(), list, true, {}});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("machine_gpus_" + std::to_string(::getpid()));
};

TEST_F(MachineGpusTest, NumbersAreCudasWhateverTheDevicesAreCalled) {
  EXPECT_THAT(machine_gpus(seen()), ElementsAre(0, 1, 2));
}

TEST_F(MachineGpusTest, NoDevicesNoGpus) {
  EXPECT_THAT(machine_gpus({(folder_ / "none").string(), {}, false, {}}), IsEmpty());
  EXPECT_THAT(machine_gpus({(folder_ / "none").string(), "0,1", true, {}}), IsEmpty());
}

TEST_F(MachineGpusTest, SomeAreHidden) {
  EXPECT_THAT(with_visible("2,0"), ElementsAre(0, 1));
  EXPECT_THAT(with_visible(" 1 "), ElementsAre(0));
  EXPECT_THAT(with_visible("GPU-8932f937,MIG-1"), ElementsAre(0, 1));
  EXPECT_THAT(with_visible(""), IsEmpty());
  EXPECT_THAT(with_visible("-1"), IsEmpty());
  EXPECT_THAT(with_visible("0,3,1"), ElementsAre(0)) << "there is no 3: it ends the list";
  EXPECT_THAT(with_visible("0,x,1"), ElementsAre(0));
}

TEST_F(MachineGpusTest, WhatIsToldCounts) {
  GpuSigns signs = seen();
  signs.told = "4";
  EXPECT_THAT(machine_gpus(signs), ElementsAre(0, 1, 2, 3));
  signs.told = "0";
  EXPECT_THAT(machine_gpus(signs), IsEmpty());
  for (const char* wrong : {"-1", "many", "4x", "100000"}) {
    signs.told = wrong;
    EXPECT_THAT(machine_gpus(signs), ElementsAre(0, 1, 2)) << wrong;
  }
}

}  // namespace
}  // namespace modelmill
