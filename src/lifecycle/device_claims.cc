#include "lifecycle/device_claims.h"

#include <algorithm>
#include <utility>

namespace modelmill {

/// What is held for one instance; it goes with it.
struct DeviceClaims::Counted {
  BackendInstance* instance = nullptr;
  std::vector<std::unique_ptr<DeviceShare>> shares;
};

void DeviceClaims::loading(MakeRoom make_room, std::function<Status()> check_wanted) {
  make_room_ = std::move(make_room);
  check_wanted_ = std::move(check_wanted);
}

void DeviceClaims::loaded() {
  make_room_ = nullptr;
  check_wanted_ = nullptr;
}

/// A backend that decides by itself may be on any of them.
std::vector<int> DeviceClaims::gpus_of(const InstancePlace& place) const {
  if (!terms_.memory) return {};
  if (place.kind == InstanceGroup::Kind::kGpu) return {place.device};
  return place.kind == InstanceGroup::Kind::kModel ? terms_.memory->gpus() : std::vector<int>();
}

/// OK: it is worth trying again. Else `full`, which says why there is none.
Status DeviceClaims::make_room(int gpu, uint64_t bytes, uint64_t seen, const Status& full, bool others_may_go) {
  if (!others_may_go || !make_room_ || !make_room_(terms_.holder.first, gpu, bytes)) {
    terms_.memory->note_refused(gpu);
    return full;
  }
  terms_.memory->wait_for_change(seen);
  return check_wanted_ ? check_wanted_() : ok_status();
}

Result<std::unique_ptr<DeviceShare>> DeviceClaims::take(int gpu, uint64_t bytes, bool others_may_go) {
  while (true) {
    const uint64_t seen = terms_.memory->changes();
    auto share = terms_.memory->take(gpu, terms_.holder, bytes);
    if (share.ok()) return share;
    MM_RETURN_IF_ERROR(make_room(gpu, bytes, seen, share.status(), others_may_go));
  }
}

Status DeviceClaims::settle(int gpu, bool others_may_go) {
  while (true) {
    const uint64_t seen = terms_.memory->changes();
    Status within = terms_.memory->within(gpu, terms_.holder);
    if (within.ok()) return within;
    MM_RETURN_IF_ERROR(make_room(gpu, 0, seen, within, others_may_go));
  }
}

DeviceShare* DeviceClaims::model_share(int gpu) {
  const auto it =
      std::find_if(of_model_.begin(), of_model_.end(), [gpu](const auto& share) { return share->gpu() == gpu; });
  return it == of_model_.end() ? nullptr : it->get();
}

Status DeviceClaims::count_model(BackendModel& model, int gpu, bool others_may_go) {
  if (!terms_.memory || terms_.other_signature) return ok_status();
  const auto bytes = model.gpu_bytes(gpu);
  if (!bytes) return ok_status();
  DeviceShare* share = model_share(gpu);
  if (share == nullptr) {
    MM_ASSIGN_OR_RETURN(auto taken, take(gpu, 0, others_may_go));
    share = of_model_.emplace_back(std::move(taken)).get();
  }
  if (share->bytes() == *bytes) return ok_status();
  share->set(*bytes);
  return settle(gpu, others_may_go);
}

Result<std::unique_ptr<BackendInstance>> DeviceClaims::make(BackendModel& model, const std::string& name,
                                                            const InstancePlace& place, bool others_may_go) {
  const std::vector<int> gpus = gpus_of(place);
  if (gpus.empty()) return model.create_instance(name, place.kind, place.device);
  const bool told_where = place.kind == InstanceGroup::Kind::kGpu;
  const uint64_t expected = !told_where              ? 0
                            : terms_.declared > 0    ? terms_.declared
                            : terms_.other_signature ? 0
                                                     : terms_.memory->remembered(terms_.holder.first);
  auto counted = std::make_shared<Counted>();
  for (const int gpu : gpus) {
    MM_ASSIGN_OR_RETURN(auto share, take(gpu, expected, others_may_go));
    counted->shares.push_back(std::move(share));
  }
  MM_ASSIGN_OR_RETURN(auto instance, model.create_instance(name, place.kind, place.device));
  counted->instance = instance.get();
  instance->hold(counted);
  for (const auto& share : counted->shares) {
    const auto told = instance->gpu_bytes(share->gpu());
    const uint64_t bytes = told.value_or(told_where ? terms_.declared : 0);
    if (bytes != share->bytes()) share->set(bytes);
    if (told && told_where && !terms_.other_signature) terms_.memory->remember(terms_.holder.first, bytes);
    MM_RETURN_IF_ERROR(settle(share->gpu(), others_may_go));
    MM_RETURN_IF_ERROR(count_model(model, share->gpu(), others_may_go));
  }
  std::erase_if(counted_, [](const auto& other) { return other.expired(); });
  counted_.push_back(counted);
  return instance;
}

Result<std::unique_ptr<BackendInstance>> DeviceClaims::make_anywhere(BackendModel& model, const std::string& name,
                                                                     InstancePlace& place,
                                                                     const std::vector<InstancePlace>& others) {
  auto instance = make(model, name, place, false);
  if (instance.ok() || instance.status().code() != Code::kResourceExhausted || place.kind != InstanceGroup::Kind::kGpu)
    return instance;
  std::string reasons = instance.status().message();
  std::vector<int> tried = {place.device};
  for (const InstancePlace& other : others) {
    if (other.kind != InstanceGroup::Kind::kGpu) continue;
    if (std::find(tried.begin(), tried.end(), other.device) != tried.end()) continue;
    tried.push_back(other.device);
    auto elsewhere = make(model, name, other, false);
    if (elsewhere.ok()) {
      place.device = other.device;
      return elsewhere;
    }
    if (elsewhere.status().code() != Code::kResourceExhausted) return elsewhere;
    reasons += "; " + elsewhere.status().message();
  }
  return resource_exhausted(std::move(reasons));
}

Status DeviceClaims::recount(BackendModel& model) {
  for (const auto& weak : counted_) {
    const auto counted = weak.lock();
    if (!counted) continue;
    for (const auto& share : counted->shares) {
      const auto told = counted->instance->gpu_bytes(share->gpu());
      if (told && *told != share->bytes()) {
        share->set(*told);
        if (!terms_.other_signature) terms_.memory->remember(terms_.holder.first, *told);
        MM_RETURN_IF_ERROR(settle(share->gpu(), true));
      }
      MM_RETURN_IF_ERROR(count_model(model, share->gpu(), true));
    }
  }
  return ok_status();
}

}  // namespace modelmill
