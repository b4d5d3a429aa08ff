#pragma once

#include <string>

#include "base/result.h"
#include "modelmill/backend.h"
#include "request/parameters.h"

namespace modelmill {

/// A parameter's value as the ABI has it; a text points into `value`.
inline void put_value(const ParameterValue& value, mm_parameter& out) {
  if (const auto* yes = std::get_if<bool>(&value)) {
    out.kind = MM_PARAM_BOOL;
    out.value.as_bool = *yes ? 1 : 0;
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    out.kind = MM_PARAM_INT;
    out.value.as_int = *number;
  } else if (const auto* count = std::get_if<uint64_t>(&value)) {
    out.kind = MM_PARAM_UINT;
    out.value.as_uint = *count;
  } else if (const auto* fraction = std::get_if<double>(&value)) {
    out.kind = MM_PARAM_DOUBLE;
    out.value.as_double = *fraction;
  } else {
    out.kind = MM_PARAM_STRING;
    out.value.as_string = std::get<std::string>(value).c_str();
  }
}

/// The value of a backend's parameter, which has a name.
inline Result<ParameterValue> value_of(const mm_parameter& in) {
  const auto& value = in.value;
  switch (in.kind) {
    case MM_PARAM_BOOL: return ParameterValue(value.as_bool != 0);
    case MM_PARAM_INT: return ParameterValue(value.as_int);
    case MM_PARAM_UINT: return ParameterValue(value.as_uint);
    case MM_PARAM_DOUBLE: return ParameterValue(value.as_double);
    case MM_PARAM_STRING: return ParameterValue(std::string(value.as_string != nullptr ? value.as_string : ""));
  }
  return internal("parameter '" + std::string(in.name) + "' has an unknown kind");
}

}  // namespace modelmill
