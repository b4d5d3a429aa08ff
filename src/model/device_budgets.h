#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace modelmill {

/// Bytes that models may take of each GPU's memory, as the operator says; 0: no bound.
struct DeviceBudgets {
  std::optional<uint64_t> each;
  std::map<int, uint64_t> of;  // single GPUs, by number
  /// Of single GPUs of which no bytes are said, by number, what part of its memory; above 0 and up to 1.
  std::map<int, double> shares = {};

  /// No bytes are said.
  bool empty() const { return !each && of.empty(); }
  /// What is said of a GPU; nullopt: nothing.
  std::optional<uint64_t> find(int gpu) const {
    const auto it = of.find(gpu);
    return it != of.end() ? std::optional(it->second) : each;
  }
};

}  // namespace modelmill
