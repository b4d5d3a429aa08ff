#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_registry.h"
#include "base/mutex.h"
#include "base/result.h"
#include "catalog/explanation.h"
#include "lifecycle/device_ledger.h"
#include "runtime/metrics.h"

namespace modelmill {

class DeviceShare;

/// The memory of the GPUs that models run on: the ledger, whoever waits for a change of it, and its metrics.
/// Thread-safe. Held by shared pointers, also of the shares.
class DeviceMemory : public std::enable_shared_from_this<DeviceMemory> {
 public:
  using Holder = DeviceLedger::Holder;
  using Told = std::optional<BackendRegistry::DeviceMemory>;

  /// `as_triton`: each GPU's memory is told by Triton's series, too.
  explicit DeviceMemory(MetricRegistry& metrics, bool as_triton = true) : metrics_(metrics), as_triton_(as_triton) {}

  void set_budgets(DeviceBudgets budgets);
  /// A GPU that models are about to be put on. `tell` asks a backend for its memory, at once and for metrics.
  void meet(int gpu, std::function<Told()> tell);
  /// Those that were met.
  std::vector<int> gpus() const;

  /// A share of so many bytes for the holder; RESOURCE_EXHAUSTED, with the numbers, when they don't fit.
  Result<std::unique_ptr<DeviceShare>> take(int gpu, const Holder& holder, uint64_t bytes);
  /// OK while what is held fits the GPU's budget: what was taken may turn out to be more.
  Status within(int gpu, const Holder& holder) const;
  /// A share could not be had, and who wanted it was told so.
  void note_refused(int gpu);

  /// What an instance of a model took when it was loaded last; 0: not known.
  uint64_t remembered(const std::string& model) const;
  void remember(const std::string& model, uint64_t bytes);

  std::optional<uint64_t> budget(int gpu) const;
  std::map<std::string, uint64_t> held_by_model(int gpu) const;
  /// For people: each GPU of which the holder holds something.
  std::vector<DeviceUse> uses(const Holder& holder) const;

  /// How often something may have changed for the better so far.
  uint64_t changes() const;
  /// Something may have: shares went, or somebody who waits isn't wanted any more.
  void note_change();
  /// Blocks until there were more changes than `seen`.
  void wait_for_change(uint64_t seen);

 private:
  friend class DeviceShare;
  struct Device {
    std::function<Told()> tell;  // null: nobody can
    std::vector<MetricRegistry::Handle> series;
    std::shared_ptr<Counter> refused;
  };
  void change(int gpu, const Holder& holder, uint64_t from, uint64_t to);
  void show(int gpu, const Holder& holder) MM_REQUIRES(mutex_);
  void make_series(int gpu, Device& device, const Told& told) MM_REQUIRES(mutex_);
  Told ask(int gpu) const;

  MetricRegistry& metrics_;
  const bool as_triton_;
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t changes_ MM_GUARDED_BY(mutex_) = 0;
  DeviceLedger ledger_ MM_GUARDED_BY(mutex_);
  std::map<int, Device> devices_ MM_GUARDED_BY(mutex_);
  std::map<std::pair<int, Holder>, std::shared_ptr<Gauge>> gauges_ MM_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> remembered_ MM_GUARDED_BY(mutex_);
};

/// Bytes of a GPU that are held; given back when it goes. One thread at a time.
class DeviceShare {
 public:
  ~DeviceShare() { set(0); }
  DeviceShare(const DeviceShare&) = delete;
  DeviceShare& operator=(const DeviceShare&) = delete;

  int gpu() const { return gpu_; }
  uint64_t bytes() const { return bytes_; }
  /// It turned out to be so many, whether they fit or not.
  void set(uint64_t bytes);

 private:
  friend class DeviceMemory;
  DeviceShare(std::shared_ptr<DeviceMemory> memory, int gpu, DeviceMemory::Holder holder, uint64_t bytes)
      : memory_(std::move(memory)), gpu_(gpu), holder_(std::move(holder)), bytes_(bytes) {}

  const std::shared_ptr<DeviceMemory> memory_;
  const int gpu_;
  const DeviceMemory::Holder holder_;
  uint64_t bytes_;
};

}  // namespace modelmill
