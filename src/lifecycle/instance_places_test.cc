#include "lifecycle/instance_places.h"

#include <gtest/gtest.h>

#include <utility>

#include "catalog/execution_limiter.h"
#include "lifecycle/testing/fake_backend.h"

namespace modelmill {
namespace {

constexpr auto kCpu = InstanceGroup::Kind::kCpu;
constexpr auto kGpu = InstanceGroup::Kind::kGpu;

/// Groups of one model that take different resources.
class InstancePlacesTest : public testing::Test {
 protected:
  std::shared_ptr<ExecutionClaim> claim(const char* resource, int device = 0) {
    return *limiter_->claim({{resource, false, 1}}, 1, device);
  }
  InstanceGroup& add_group(const char* name, InstanceGroup::Kind kind, std::vector<int> gpus = {}) {
    return definition_.instance_groups.emplace_back(InstanceGroup{name, kind, 1, std::move(gpus)});
  }

  const std::shared_ptr<ExecutionLimiter> limiter_ =
      std::make_shared<ExecutionLimiter>(std::vector<DeclaredResource>{});
  ModelDefinition definition_;
  std::vector<InstancePlace> planned_;
};

TEST_F(InstancePlacesTest, AnInstanceThatIsMadeAgainTakesWhatItsGroupTakes) {
  for (const char* name : {"P", "Q"}) {
    add_group(name, kCpu);
    planned_.push_back({kCpu, 0, {}, claim(name)});
  }
  FakeLog log;
  FakeModel model({}, log);
  const auto make = instance_maker({definition_,
                                    {},
                                    1,
                                    false,
                                    1,
                                    std::nullopt,
                                    planned_,
                                    std::make_shared<DeviceClaims>(DeviceClaims::Terms{nullptr, {"m", 1}})});
  for (const InstancePlace& planned : planned_) {
    InstancePlace place = planned;
    ASSERT_TRUE(make(model, 0, place).ok());
    EXPECT_EQ(place.claim, planned.claim);
  }
}

TEST_F(InstancePlacesTest, OnAnotherDeviceItTakesWhatItsGroupTakesThere) {
  for (const char* name : {"P", "Q", "R"}) {
    add_group(name, kGpu, {0, 1});
    for (const int gpu : {0, 1}) planned_.push_back({kGpu, gpu, {}, claim(name, gpu)});
  }
  for (size_t i = 0; i < planned_.size(); i += 2) {
    InstancePlace place = planned_[i];
    place.device = 1;
    take_claim_of_device(place, planned_, definition_);
    EXPECT_EQ(place.claim, planned_[i + 1].claim) << i;
  }
}

TEST_F(InstancePlacesTest, WhereItsGroupHasNoPlaceItTakesWhatOthersTakeThere) {
  add_group("P", kGpu, {0});
  add_group("Q", kGpu, {1});
  add_group("free", kGpu, {2});
  for (const int gpu : {0, 1}) planned_.push_back({kGpu, gpu, {}, claim(gpu == 0 ? "P" : "Q", gpu)});
  planned_.push_back({kGpu, 2, {}});
  InstancePlace place = planned_[0];
  place.device = 1;
  take_claim_of_device(place, planned_, definition_);
  EXPECT_EQ(place.claim, planned_[1].claim);
  InstancePlace free = planned_[2];
  free.device = 1;
  take_claim_of_device(free, planned_, definition_);
  EXPECT_EQ(free.claim, nullptr) << "its group takes nothing";
}

}  // namespace
}  // namespace modelmill
