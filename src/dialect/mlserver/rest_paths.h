#pragma once

#include <string>
#include <string_view>

namespace modelmill::mlserver {

/// What MLServer's metrics call a path, such as "/v2/models/{model_name}/infer": its own route. Empty: it has none
/// such, or does not count it.
std::string route_of(std::string_view path);

}  // namespace modelmill::mlserver
