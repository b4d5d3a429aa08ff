#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "model/device_budgets.h"

namespace modelmill {

/// Of each GPU's memory: how much models may take, and which versions hold what of it. Not synchronised; knows no
/// device.
class DeviceLedger {
 public:
  /// A version of a model.
  using Holder = std::pair<std::string, int64_t>;

  /// What the operator says; before what the devices say.
  void set_budgets(DeviceBudgets budgets) { budgets_ = std::move(budgets); }
  /// A device's memory, as it tells it. Of it models may take nine tenths unless the operator says otherwise: the rest
  /// is for what runtimes keep there beside models.
  void set_total(int gpu, uint64_t bytes) { totals_[gpu] = bytes; }
  /// nullopt: no bound.
  std::optional<uint64_t> budget(int gpu) const;

  void add(int gpu, const Holder& holder, uint64_t bytes);
  /// At most what was added.
  void remove(int gpu, const Holder& holder, uint64_t bytes);

  uint64_t held(int gpu) const;
  uint64_t held(int gpu, const Holder& holder) const;
  std::map<std::string, uint64_t> held_by_model(int gpu) const;

  /// OK when `bytes` more fit; else RESOURCE_EXHAUSTED with the numbers, by whom the memory is held, and what helps.
  Status check(int gpu, const Holder& holder, uint64_t bytes) const;

 private:
  DeviceBudgets budgets_;
  std::map<int, uint64_t> totals_;
  std::map<int, std::map<Holder, uint64_t>> held_;  // no entry is 0
};

}  // namespace modelmill
