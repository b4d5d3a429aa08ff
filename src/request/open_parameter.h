#pragma once

#include <string_view>

namespace modelmill {

/// The parameter in which a model with an open signature finds what its client said beside the tensors' data, a JSON
/// object. It is for the code behind such a model alone: others are never given it.
inline constexpr std::string_view kOpenRequest = "modelmill_request";

}  // namespace modelmill
