#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/result.h"
#include "catalog/explanation.h"
#include "catalog/instances.h"
#include "lifecycle/device_memory.h"

namespace modelmill {

/// What one version's model and instances hold of the GPUs, from its loading on: each is made when the device's budget
/// has room for what it is known to take, and is counted by what its backend tells once it is there, else by what the
/// model's configuration declares. What is counted goes with the instance, and with the model. One thread at a time,
/// but for uses().
class DeviceClaims {
 public:
  struct Terms {
    std::shared_ptr<DeviceMemory> memory;  // null: nothing is counted
    DeviceMemory::Holder holder;
    uint64_t declared = 0;  // bytes of an instance; 0: nothing is declared
    /// It is another entry point of a loaded model, whose own bytes are counted already.
    bool other_signature = false;
  };
  /// Has models go so that so many bytes more fit on a GPU; false: none can. Blocks on nothing.
  using MakeRoom = std::function<bool(const std::string& model, int gpu, uint64_t bytes)>;

  explicit DeviceClaims(Terms terms) : terms_(std::move(terms)) {}

  /// What a load may do, and when it is to give up; as long as it loads.
  void loading(MakeRoom make_room, std::function<Status()> check_wanted);
  void loaded();

  /// Counts what the model holds of the GPU beside its instances. RESOURCE_EXHAUSTED when that is too much.
  Status count_model(BackendModel& model, int gpu) { return count_model(model, gpu, true); }
  /// Makes an instance, and waits where models may go to make room for it, and do. RESOURCE_EXHAUSTED when there is
  /// none.
  Result<std::unique_ptr<BackendInstance>> make(BackendModel& model, const std::string& name,
                                                const InstancePlace& place, bool others_may_go = true);
  /// The same on the GPU that is wanted or else on another one of `others`, without any model's going. `place` is where
  /// it is then.
  Result<std::unique_ptr<BackendInstance>> make_anywhere(BackendModel& model, const std::string& name,
                                                         InstancePlace& place,
                                                         const std::vector<InstancePlace>& others);
  /// Counts again, now that what was made has run. RESOURCE_EXHAUSTED when it has become too much.
  Status recount(BackendModel& model);

  bool counts() const { return terms_.memory != nullptr; }
  std::vector<DeviceUse> uses() const {
    return counts() ? terms_.memory->uses(terms_.holder) : std::vector<DeviceUse>();
  }

 private:
  struct Counted;
  std::vector<int> gpus_of(const InstancePlace& place) const;
  Result<std::unique_ptr<DeviceShare>> take(int gpu, uint64_t bytes, bool others_may_go);
  /// Until what is held fits, or nothing can go any more.
  Status settle(int gpu, bool others_may_go);
  Status count_model(BackendModel& model, int gpu, bool others_may_go);
  Status make_room(int gpu, uint64_t bytes, uint64_t seen, const Status& full, bool others_may_go);
  DeviceShare* model_share(int gpu);

  const Terms terms_;
  MakeRoom make_room_;
  std::function<Status()> check_wanted_;
  std::vector<std::unique_ptr<DeviceShare>> of_model_;
  std::vector<std::weak_ptr<Counted>> counted_;
};

}  // namespace modelmill
