#include "runtime/gpu_watch.h"

#include <dlfcn.h>

#include <array>

#include "runtime/library_symbol.h"

namespace modelmill {
namespace {

constexpr const char* kLibrary = "libnvidia-ml.so.1";

/// Stays open: it keeps threads and mappings of its own.
GpuWatch::Library open_library() {
  GpuWatch::Library out;
  void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return out;
  find_symbol(library, "nvmlInit_v2", out.init);
  find_symbol(library, "nvmlDeviceGetCount_v2", out.count);
  find_symbol(library, "nvmlDeviceGetHandleByIndex_v2", out.device);
  find_symbol(library, "nvmlDeviceGetUUID", out.uuid);
  find_symbol(library, "nvmlDeviceGetUtilizationRates", out.utilization);
  find_symbol(library, "nvmlDeviceGetMemoryInfo", out.memory);
  find_symbol(library, "nvmlDeviceGetPowerUsage", out.power);
  find_symbol(library, "nvmlDeviceGetEnforcedPowerLimit", out.power_limit);
  find_symbol(library, "nvmlDeviceGetTotalEnergyConsumption", out.energy);
  return out;
}

/// What a function tells of a device.
template <typename Value>
std::optional<Value> ask_device(int (*function)(void*, Value*), void* device) {
  Value value{};
  if (function == nullptr || function(device, &value) != 0) return std::nullopt;
  return value;
}

template <typename Value>
std::optional<double> thousandths(const std::optional<Value>& value) {
  if (!value) return std::nullopt;
  return static_cast<double>(*value) / 1000;
}

}  // namespace

GpuWatch::GpuWatch(const Library& library) : library_(library) {
  unsigned count = 0;
  if (library_.init == nullptr || library_.count == nullptr || library_.device == nullptr || library_.uuid == nullptr ||
      library_.init() != 0 || library_.count(&count) != 0)
    return;
  for (unsigned i = 0; i < count; ++i) {
    void* handle = nullptr;
    std::array<char, 96> uuid{};
    if (library_.device(i, &handle) != 0 || library_.uuid(handle, uuid.data(), uuid.size() - 1) != 0) continue;
    devices_.push_back({i, handle, uuid.data()});
  }
}

std::vector<GpuReading> GpuWatch::read() const {
  std::vector<GpuReading> out;
  for (const Device& device : devices_) {
    GpuReading& reading = out.emplace_back();
    reading.index = device.index;
    reading.uuid = device.uuid;
    if (const auto use = ask_device(library_.utilization, device.handle))
      reading.utilization = static_cast<double>(use->gpu) / 100;
    if (const auto memory = ask_device(library_.memory, device.handle)) {
      reading.memory_total = memory->total;
      reading.memory_used = memory->used;
    }
    reading.power_watts = thousandths(ask_device(library_.power, device.handle));
    reading.power_limit_watts = thousandths(ask_device(library_.power_limit, device.handle));
    reading.energy_joules = thousandths(ask_device(library_.energy, device.handle));
  }
  return out;
}

std::vector<GpuReading> read_machine_gpus() {
  static const GpuWatch watch(open_library());
  return watch.read();
}

}  // namespace modelmill
