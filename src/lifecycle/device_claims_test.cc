#include "lifecycle/device_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "lifecycle/testing/fake_backend.h"

namespace modelmill {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DeviceClaimsTest : public testing::Test {
 protected:
  DeviceClaimsTest() {
    memory_->set_budgets({100, {}});
    for (const int gpu : {0, 1}) memory_->meet(gpu, nullptr);
  }
  DeviceClaims claims(const std::string& model, uint64_t declared = 0) {
    return DeviceClaims({memory_, {model, 1}, declared});
  }
  uint64_t held(int gpu) const {
    uint64_t bytes = 0;
    for (const auto& [model, its] : memory_->held_by_model(gpu)) bytes += its;
    return bytes;
  }
  static InstancePlace gpu(int number) { return {InstanceGroup::Kind::kGpu, number, {}}; }

  FakeLog log_;
  MetricRegistry metrics_;
  std::shared_ptr<DeviceMemory> memory_ = std::make_shared<DeviceMemory>(metrics_);
  FakeModelParts parts_;
};

TEST_F(DeviceClaimsTest, AnInstanceIsCountedWhileItLives) {
  for (const bool told : {false, true}) {
    SCOPED_TRACE(told);
    if (told) parts_.gpu_bytes = 30;
    FakeModel model(parts_, log_);
    DeviceClaims mine = claims("a", 40);
    auto instance = mine.make(model, "a_0", gpu(0));
    ASSERT_TRUE(instance.ok()) << instance.status().to_string();
    EXPECT_EQ(held(0), told ? 30u : 40u) << "what the backend tells comes before what is declared";
    EXPECT_EQ(held(1), 0u);
    EXPECT_THAT(metrics_.render(),
                HasSubstr("modelmill_model_device_memory_bytes{model=\"a\",version=\"1\",gpu=\"0\"}"));
    instance->reset();
    EXPECT_EQ(held(0), 0u);
  }
}

TEST_F(DeviceClaimsTest, WhatRunsOnTheProcessorIsNotCounted) {
  FakeModel model(parts_, log_);
  DeviceClaims mine = claims("a", 40);
  const auto instance = mine.make(model, "a_0", {InstanceGroup::Kind::kCpu, 0, {}});
  EXPECT_TRUE(instance.ok());
  EXPECT_EQ(held(0), 0u);
}

TEST_F(DeviceClaimsTest, WhatWouldNotFitIsNotEvenMade) {
  FakeModel model(parts_, log_);
  DeviceClaims mine = claims("a", 60);
  const auto first = mine.make(model, "a_0", gpu(0));
  const auto second = mine.make(model, "a_1", gpu(0));
  EXPECT_EQ(second.status().code(), Code::kResourceExhausted);
  EXPECT_EQ(log_.instances, 1);
  EXPECT_EQ(held(0), 60u);
  EXPECT_THAT(metrics_.render(), HasSubstr("modelmill_device_memory_refused_total{gpu=\"0\"} 1"));
}

TEST_F(DeviceClaimsTest, WhatTurnsOutTooLargeGoesAgain) {
  parts_.gpu_bytes = 101;
  FakeModel model(parts_, log_);
  DeviceClaims mine = claims("a");
  const auto instance = mine.make(model, "a_0", gpu(0));
  EXPECT_THAT(instance.status().message(), HasSubstr("has taken 101 B of gpu 0, of whose budget of 100 B"));
  EXPECT_EQ(held(0), 0u);
  EXPECT_EQ(log_.instances, 1) << "it had to be made to be known";
  EXPECT_FALSE(claims("a").make(model, "a_0", gpu(0)).ok());
  EXPECT_EQ(log_.instances, 1) << "and is known from then on";
}

TEST_F(DeviceClaimsTest, TheModelsOwnBytesAreCountedOnce) {
  parts_.gpu_bytes = 10;
  parts_.weights = 50;
  FakeModel model(parts_, log_);
  {
    DeviceClaims mine = claims("a");
    EXPECT_TRUE(mine.count_model(model, 0).ok());
    EXPECT_EQ(held(0), 50u);
    const auto one = mine.make(model, "a_0", gpu(0)), two = mine.make(model, "a_1", gpu(0));
    EXPECT_EQ(held(0), 70u);
    EXPECT_EQ(mine.uses().at(0).bytes, 70u);
    DeviceClaims signature({memory_, {"a", 1}, 0, true});
    const auto three = signature.make(model, "a_2", gpu(0));
    EXPECT_EQ(held(0), 80u) << "another entry point shares them";
  }
  EXPECT_EQ(held(0), 0u);
}

TEST_F(DeviceClaimsTest, AnotherGpuIsTakenWhereTheWantedOneIsFull) {
  FakeModel model(parts_, log_);
  DeviceClaims other = claims("other", 80), mine = claims("a", 60);
  const auto there = other.make(model, "o_0", gpu(0));
  const std::vector<InstancePlace> places = {gpu(0), gpu(1)};
  InstancePlace place = gpu(0);
  const auto first = mine.make_anywhere(model, "a_0", place, places);
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(place.device, 1);
  place = gpu(0);
  const auto second = mine.make_anywhere(model, "a_1", place, places);
  EXPECT_EQ(second.status().code(), Code::kResourceExhausted);
  EXPECT_THAT(second.status().message(), AllOf(HasSubstr("of gpu 0"), HasSubstr("of gpu 1")));
  EXPECT_EQ(place.device, 0);
}

TEST_F(DeviceClaimsTest, ALoadWaitsForWhatGoes) {
  FakeModel model(parts_, log_);
  DeviceClaims other = claims("other", 80), mine = claims("a", 60);
  auto there = other.make(model, "o_0", gpu(0));
  std::thread leaving;
  int asked = 0;
  mine.loading(
      [&](const std::string& name, int device, uint64_t bytes) {
        EXPECT_EQ(name, "a");
        EXPECT_EQ(device, 0);
        EXPECT_EQ(bytes, 60u);
        if (asked++ == 0) leaving = std::thread([&] { there->reset(); });
        return true;
      },
      nullptr);
  const auto instance = mine.make(model, "a_0", gpu(0));
  EXPECT_TRUE(instance.ok()) << instance.status().to_string();
  EXPECT_EQ(held(0), 60u);
  leaving.join();
}

TEST_F(DeviceClaimsTest, ALoadThatNobodyWantsGivesUp) {
  FakeModel model(parts_, log_);
  DeviceClaims other = claims("other", 80), mine = claims("a", 60);
  const auto there = other.make(model, "o_0", gpu(0));
  std::thread poke;
  mine.loading(
      [&](const std::string&, int, uint64_t) {
        poke = std::thread([&] { memory_->note_change(); });
        return true;
      },
      [] { return cancelled("not wanted"); });
  EXPECT_EQ(mine.make(model, "a_0", gpu(0)).status().code(), Code::kCancelled);
  poke.join();
  EXPECT_EQ(held(0), 80u);
}

TEST_F(DeviceClaimsTest, WhatHasGrownIsCountedAgain) {
  parts_.gpu_bytes = 30;
  parts_.gpu_bytes_run = 70;
  parts_.compute = [](const TensorList& inputs) -> Result<TensorList> { return inputs; };
  FakeModel model(parts_, log_);
  DeviceClaims mine = claims("a");
  auto one = mine.make(model, "a_0", gpu(0));
  ASSERT_TRUE(one.ok());
  (void)run_directly(**one, "a", 1, {{{fake_floats("x", {1}, {1})}, 1}});
  EXPECT_EQ(held(0), 30u);
  EXPECT_TRUE(mine.recount(model).ok());
  EXPECT_EQ(held(0), 70u);
  memory_->set_budgets({60, {}});
  EXPECT_TRUE(mine.recount(model).ok()) << "nothing has grown since";
}

}  // namespace
}  // namespace modelmill
