#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/api_group.h"

namespace modelmill {

/// What a call is for, by Triton's names: finer than wire::ApiGroup.
enum class ApiKind : uint8_t {
  kHealth,
  kMetadata,
  kInference,
  kSharedMemory,
  kModelConfig,
  kModelRepository,
  kStatistics,
  kTrace,
  kLogging,
};

inline constexpr std::array<std::string_view, 9> kApiKindNames = {"health",        "metadata",     "inference",
                                                                  "shared-memory", "model-config", "model-repository",
                                                                  "statistics",    "trace",        "logging"};

std::optional<ApiKind> api_kind_named(std::string_view name);

/// A set of kinds, a bit each.
using ApiKinds = uint32_t;
constexpr ApiKinds bit_of(ApiKind kind) { return ApiKinds{1} << static_cast<unsigned>(kind); }

/// Calls of one kind over one protocol need a header.
struct Restriction {
  ApiKind kind = ApiKind::kHealth;
  bool grpc = false;
  std::string header;  // in lower case
  std::string value;

  bool operator==(const Restriction&) const = default;
};

/// The kinds of a request, whose every restriction it has to satisfy. Paths of other protocols than Triton's have those
/// of whatever Triton's path tells or does the same, so that none of them is a way around a restriction.
ApiKinds http_api_kinds(std::string_view path, wire::ApiGroup group);
ApiKinds grpc_api_kinds(std::string_view path, wire::ApiGroup group);

}  // namespace modelmill
