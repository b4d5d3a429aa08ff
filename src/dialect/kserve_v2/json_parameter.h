#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "base/status.h"
#include "request/infer_request.h"

namespace modelmill::kserve_v2 {

/// A parameter's value that came as JSON; nothing where it is no string, number, true or false.
std::optional<ParameterValue> json_parameter(simdjson::dom::element value);

/// Gives a request parameter that came as JSON (a string, a number, true or false) its meaning, as
/// apply_request_parameter() does. INVALID_ARGUMENT with the text `otherwise` for any other value.
Status apply_json_parameter(std::string_view name, simdjson::dom::element value, std::string_view otherwise,
                            InferRequest& request);

}  // namespace modelmill::kserve_v2
