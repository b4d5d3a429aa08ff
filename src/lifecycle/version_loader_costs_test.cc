// What executions cost is measured once when a version is loaded.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lifecycle/testing/loader_rig.h"

namespace modelmill {
namespace {

using testing::ElementsAre;

TEST_F(VersionLoaderTest, CostsAreMeasuredAlsoForOpenSizesAndOnlyAtAllowedOnes) {
  settings_.measure_budget = std::chrono::seconds(10);
  const auto sizes = [](const LoadedVersion& loaded) {
    std::vector<double> out;
    for (const CostPoint& point : loaded.plan.costs.at(0).points) out.push_back(point.rows);
    return out;
  };
  const auto fixed = load("max_batch_size: 6");
  ASSERT_TRUE(fixed.ok()) << fixed.status().to_string();
  EXPECT_THAT(sizes(*fixed), ElementsAre(1, 2, 4, 6));
  EXPECT_EQ(fixed->plan.costs[0].shapes, "") << "all are of one shape";
  EXPECT_EQ(fixed->plan.costs[0].shape_class, 0U);

  info().signature.inputs[0].shape = {-1, -1};
  backends_.models["m"].compute = [](const TensorList& inputs) -> Result<TensorList> {
    const int64_t rows = inputs[0].shape[0];
    return TensorList{fake_floats("y", {rows}, std::vector<float>(static_cast<size_t>(rows), 1))};
  };
  const auto open = load("max_batch_size: 6");
  ASSERT_TRUE(open.ok()) << open.status().to_string();
  ASSERT_TRUE(open->open_size);
  EXPECT_THAT(sizes(*open), ElementsAre(1, 2, 4, 6));
  EXPECT_EQ(open->plan.costs[0].shapes, "x FP32[*," + std::to_string(*open->open_size) + "]");
  EXPECT_NE(open->plan.costs[0].shape_class, 0U);

  const auto allowed =
      load("max_batch_size: 6 parameters { key: 'allowed_batch_sizes' value { string_value: '3,6' } }");
  ASSERT_TRUE(allowed.ok()) << allowed.status().to_string();
  EXPECT_THAT(sizes(*allowed), ElementsAre(3, 6));
}

TEST_F(VersionLoaderTest, CostsOnAGpuAreKeptByItsKind) {
  settings_.cost_directory = folder_ / "costs";
  settings_.gpus = {0, 1};
  uint64_t gibibytes = 80;
  source_.device_memory = [&](const std::string&, int gpu, const std::string&) {
    return BackendRegistry::DeviceMemory{gibibytes << 30, 0, "GPU-" + std::to_string(gpu)};
  };
  const auto key = [&](const std::string& group, const std::string& model) {
    settings_.gpu_models = {model, model};
    const auto loaded = load("instance_group [ { " + group + " } ]");
    return loaded.ok() ? loaded->cost_key : loaded.status().message();
  };
  const std::string first = key("kind: KIND_GPU gpus: [ 0 ]", "NVIDIA A100");
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(key("kind: KIND_GPU gpus: [ 1 ]", "NVIDIA A100"), first) << "its twin";
  EXPECT_NE(key("kind: KIND_GPU gpus: [ 0 ]", "NVIDIA H200"), first);
  const std::string cpu = key("kind: KIND_CPU", "NVIDIA A100");
  EXPECT_NE(cpu, first);
  EXPECT_EQ(key("kind: KIND_CPU", "NVIDIA H200"), cpu) << "it has none to do with it";
  gibibytes = 40;
  EXPECT_NE(key("kind: KIND_GPU gpus: [ 0 ]", "NVIDIA A100"), first);
}

}  // namespace
}  // namespace modelmill
