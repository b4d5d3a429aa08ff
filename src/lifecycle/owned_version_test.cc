#include "lifecycle/owned_version.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace modelmill {
namespace {

class TellingVersion final : public ModelVersion {
 public:
  TellingVersion(MetricRegistry& metrics, std::thread::id& ended)
      : ModelVersion({}, std::make_shared<VersionStats>(metrics, "m", 1)), ended_(ended) {}
  ~TellingVersion() override { ended_ = std::this_thread::get_id(); }
  void submit(InferRequestPtr request) override { request->complete({}); }

 private:
  std::thread::id& ended_;
};

TEST(OwnedVersionTest, IsDestroyedByItsOwnerWhoeverHasTheLastShare) {
  MetricRegistry metrics;
  std::thread::id ended;
  auto owned = std::make_unique<OwnedVersion>(std::make_shared<TellingVersion>(metrics, ended));
  auto share = owned->share();
  std::thread::id owner;
  std::atomic<bool> gone{false};
  std::thread retiring([&] {
    owner = std::this_thread::get_id();
    owned.reset();
    gone = true;
  });
  while (!share->gate().closed()) std::this_thread::yield();
  EXPECT_FALSE(gone);
  share.reset();
  retiring.join();
  EXPECT_EQ(ended, owner);
}

TEST(OwnedVersionTest, WaitsForTheLastRequest) {
  MetricRegistry metrics;
  std::thread::id ended;
  auto owned = std::make_unique<OwnedVersion>(std::make_shared<TellingVersion>(metrics, ended));
  auto pin = std::make_unique<VersionPin>(owned->share());
  ModelVersion& version = **owned;
  std::atomic<bool> gone{false};
  std::thread retiring([&] {
    owned.reset();
    gone = true;
  });
  while (!version.gate().closed()) std::this_thread::yield();
  EXPECT_FALSE(gone);
  pin.reset();
  retiring.join();
  EXPECT_NE(ended, std::thread::id());
}

}  // namespace
}  // namespace modelmill
