#include "dialect/kserve_v2/json_parameter.h"

#include <string>
#include <utility>

#include "dialect/kserve_v2/request_parameters.h"

namespace modelmill::kserve_v2 {

Status apply_json_parameter(std::string_view name, simdjson::dom::element value, std::string_view otherwise,
                            InferRequest& request) {
  using Type = simdjson::dom::element_type;
  const auto apply = [&](ParameterValue of) {
    return apply_request_parameter(std::string(name), std::move(of), request);
  };
  switch (value.type()) {
    case Type::STRING: return apply(std::string(value.get_string().value_unsafe()));
    case Type::INT64: return apply(value.get_int64().value_unsafe());
    case Type::UINT64: return apply(value.get_uint64().value_unsafe());
    case Type::BOOL: return apply(value.get_bool().value_unsafe());
    case Type::DOUBLE: return apply(value.get_double().value_unsafe());
    default: return invalid_argument(std::string(otherwise));
  }
}

}  // namespace modelmill::kserve_v2
