#include "dialect/kserve_v2/json_parameter.h"

#include <string>
#include <utility>

#include "dialect/kserve_v2/request_parameters.h"

namespace modelmill::kserve_v2 {

std::optional<ParameterValue> json_parameter(simdjson::dom::element value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::STRING: return std::string(value.get_string().value_unsafe());
    case Type::INT64: return value.get_int64().value_unsafe();
    case Type::UINT64: return value.get_uint64().value_unsafe();
    case Type::BOOL: return value.get_bool().value_unsafe();
    case Type::DOUBLE: return value.get_double().value_unsafe();
    default: return std::nullopt;
  }
}

Status apply_json_parameter(std::string_view name, simdjson::dom::element value, std::string_view otherwise,
                            InferRequest& request) {
  std::optional<ParameterValue> parameter = json_parameter(value);
  if (!parameter) return invalid_argument(std::string(otherwise));
  return apply_request_parameter(std::string(name), *std::move(parameter), request);
}

}  // namespace modelmill::kserve_v2
