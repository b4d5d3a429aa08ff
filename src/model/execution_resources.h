#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// So much of a resource that an instance takes to run: of its device's, or of the whole server's.
struct ResourceNeed {
  std::string name;
  bool global = false;
  int64_t count = 0;
  friend bool operator==(const ResourceNeed&, const ResourceNeed&) = default;
};

/// What there is of a resource, as the operator says: on one device, or on each. A global one is there once, whatever
/// the device.
struct DeclaredResource {
  std::string name;
  int64_t count = 0;
  std::optional<int> device;
};

/// NAME:COUNT or NAME:COUNT:DEVICE.
Result<DeclaredResource> read_declared_resource(const std::string& text);

/// Whether executions take resources, and those that the operator has declared.
struct ResourceSettings {
  bool limited = false;
  std::vector<DeclaredResource> declared;
};

}  // namespace modelmill
