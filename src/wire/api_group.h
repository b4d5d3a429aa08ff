#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace modelmill::wire {

/// What a call is for, as far as it matters who may make it. Each HTTP path and each gRPC method belongs to one.
enum class ApiGroup : uint8_t {
  kInference,   // asks a model
  kHealth,      // whether the server or a model is live and ready
  kMetadata,    // reads what is served, how it is configured, what it has done
  kMetrics,     // the page for Prometheus
  kManagement,  // changes the server
};

inline constexpr std::array<std::string_view, 5> kApiGroupNames = {"inference", "health", "metadata", "metrics",
                                                                   "management"};
inline constexpr size_t kApiGroups = kApiGroupNames.size();

inline std::string_view api_group_name(ApiGroup group) { return kApiGroupNames[static_cast<size_t>(group)]; }

inline std::optional<ApiGroup> api_group_named(std::string_view name) {
  for (size_t i = 0; i < kApiGroups; ++i)
    if (kApiGroupNames[i] == name) return static_cast<ApiGroup>(i);
  return std::nullopt;
}

}  // namespace modelmill::wire
