#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// What the serviceUrl of a step names.
struct ServiceUrl {
  /// The model in its path, or the names that its host may stand for, the likeliest first.
  std::vector<std::string> services;
  /// The path, where it is that of an inference; else empty.
  std::string path;
};

/// Reads http://NAME.NAMESPACE.svc.cluster.local/v1/models/MODEL:predict and the like. INVALID_ARGUMENT for what is no
/// URL of http or https, or names nothing.
Result<ServiceUrl> parse_service_url(std::string_view url);

}  // namespace modelmill
