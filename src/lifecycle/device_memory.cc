#include "lifecycle/device_memory.h"

#include <utility>

namespace modelmill {
namespace {

double as_number(uint64_t bytes) { return static_cast<double>(bytes); }

}  // namespace

void DeviceMemory::set_budgets(DeviceBudgets budgets) {
  const MutexLock lock(mutex_);
  ledger_.set_budgets(std::move(budgets));
  ++changes_;
  changed_.notify_all();
}

void DeviceMemory::meet(int gpu, std::function<Told()> tell) {
  {
    const MutexLock lock(mutex_);
    if (const auto it = devices_.find(gpu); it != devices_.end() && it->second.tell) return;
  }
  const Told told = tell ? tell() : std::nullopt;
  const MutexLock lock(mutex_);
  Device& device = devices_[gpu];
  if (device.tell) return;
  if (told) {
    device.tell = std::move(tell);
    ledger_.set_total(gpu, told->total_bytes);
  }
  make_series(gpu, device, told);
}

/// Those of the device itself are named as Triton names them.
void DeviceMemory::make_series(int gpu, Device& device, const Told& told) {
  const std::string number = std::to_string(gpu);
  const MetricLabels labels = {{"gpu", number}};
  const auto add = [&](const char* name, const char* help, const MetricLabels& its, auto read) {
    device.series.push_back(metrics_.gauge_from(name, help, its, [weak = weak_from_this(), gpu, read]() -> double {
      const auto memory = weak.lock();
      return memory ? read(*memory, gpu) : 0;
    }));
  };
  if (!device.refused) {
    device.refused = metrics_.counter("modelmill_device_memory_refused_total",
                                      "Instances that were not made because the device's budget was taken", labels);
    add("modelmill_device_memory_budget_bytes", "Bytes that models may take of the device; 0: no bound", labels,
        [](const DeviceMemory& memory, int its) { return as_number(memory.budget(its).value_or(0)); });
    add("modelmill_device_memory_held_bytes", "Bytes of the device that models hold", labels,
        [](const DeviceMemory& memory, int its) {
          const MutexLock lock(memory.mutex_);
          return as_number(memory.ledger_.held(its));
        });
  }
  if (!told || !as_triton_) return;
  const MetricLabels named = {{"gpu_uuid", told->uuid.empty() ? "gpu " + number : told->uuid}, {"gpu", number}};
  add("nv_gpu_memory_total_bytes", "GPU total memory, in bytes", named, [](const DeviceMemory& memory, int its) {
    const Told now = memory.ask(its);
    return as_number(now ? now->total_bytes : 0);
  });
  add("nv_gpu_memory_used_bytes", "GPU used memory, in bytes", named, [](const DeviceMemory& memory, int its) {
    const Told now = memory.ask(its);
    return as_number(now ? now->total_bytes - now->free_bytes : 0);
  });
}

DeviceMemory::Told DeviceMemory::ask(int gpu) const {
  std::function<Told()> tell;
  {
    const MutexLock lock(mutex_);
    tell = devices_.at(gpu).tell;
  }
  return tell ? tell() : std::nullopt;
}

std::vector<int> DeviceMemory::gpus() const {
  const MutexLock lock(mutex_);
  std::vector<int> out;
  for (const auto& [gpu, device] : devices_) out.push_back(gpu);
  return out;
}

Result<std::unique_ptr<DeviceShare>> DeviceMemory::take(int gpu, const Holder& holder, uint64_t bytes) {
  const MutexLock lock(mutex_);
  MM_RETURN_IF_ERROR(ledger_.check(gpu, holder, bytes));
  ledger_.add(gpu, holder, bytes);
  show(gpu, holder);
  return std::unique_ptr<DeviceShare>(new DeviceShare(shared_from_this(), gpu, holder, bytes));
}

Status DeviceMemory::within(int gpu, const Holder& holder) const {
  const MutexLock lock(mutex_);
  return ledger_.check(gpu, holder, 0);
}

void DeviceMemory::note_refused(int gpu) {
  const MutexLock lock(mutex_);
  if (const auto it = devices_.find(gpu); it != devices_.end()) it->second.refused->add();
}

uint64_t DeviceMemory::remembered(const std::string& model) const {
  const MutexLock lock(mutex_);
  const auto it = remembered_.find(model);
  return it == remembered_.end() ? 0 : it->second;
}

void DeviceMemory::remember(const std::string& model, uint64_t bytes) {
  const MutexLock lock(mutex_);
  remembered_[model] = bytes;
}

std::optional<uint64_t> DeviceMemory::budget(int gpu) const {
  const MutexLock lock(mutex_);
  return ledger_.budget(gpu);
}

std::map<std::string, uint64_t> DeviceMemory::held_by_model(int gpu) const {
  const MutexLock lock(mutex_);
  return ledger_.held_by_model(gpu);
}

std::vector<DeviceUse> DeviceMemory::uses(const Holder& holder) const {
  const MutexLock lock(mutex_);
  std::vector<DeviceUse> out;
  for (const auto& [gpu, device] : devices_)
    if (const uint64_t bytes = ledger_.held(gpu, holder); bytes > 0)
      out.push_back({gpu, bytes, ledger_.held(gpu), ledger_.budget(gpu).value_or(0)});
  return out;
}

uint64_t DeviceMemory::changes() const {
  const MutexLock lock(mutex_);
  return changes_;
}

void DeviceMemory::note_change() {
  const MutexLock lock(mutex_);
  ++changes_;
  changed_.notify_all();
}

void DeviceMemory::wait_for_change(uint64_t seen) {
  const MutexLock lock(mutex_);
  while (changes_ == seen) changed_.wait(mutex_);
}

void DeviceMemory::change(int gpu, const Holder& holder, uint64_t from, uint64_t to) {
  const MutexLock lock(mutex_);
  ledger_.remove(gpu, holder, from);
  ledger_.add(gpu, holder, to);
  show(gpu, holder);
  if (to >= from) return;
  ++changes_;
  changed_.notify_all();
}

void DeviceMemory::show(int gpu, const Holder& holder) {
  const uint64_t bytes = ledger_.held(gpu, holder);
  const auto key = std::make_pair(gpu, holder);
  if (bytes == 0) {
    gauges_.erase(key);
    return;
  }
  auto& gauge = gauges_[key];
  if (!gauge)
    gauge = metrics_.gauge(
        "modelmill_model_device_memory_bytes", "Bytes of the device that the version's instances hold",
        {{"model", holder.first}, {"version", std::to_string(holder.second)}, {"gpu", std::to_string(gpu)}});
  gauge->set(as_number(bytes));
}

void DeviceShare::set(uint64_t bytes) {
  memory_->change(gpu_, holder_, bytes_, bytes);
  bytes_ = bytes;
}

}  // namespace modelmill
