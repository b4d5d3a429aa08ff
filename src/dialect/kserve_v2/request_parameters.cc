#include "dialect/kserve_v2/request_parameters.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "request/background.h"

namespace modelmill::kserve_v2 {
namespace {

Status wrong_type(std::string_view name, std::string_view expected) {
  return invalid_argument("invalid value type for '" + std::string(name) + "' parameter, expected " +
                          std::string(expected) + ".");
}

Status read_flag(std::string_view name, const ParameterValue& value, bool& flag) {
  if (!std::holds_alternative<bool>(value)) return wrong_type(name, "bool_param");
  flag = std::get<bool>(value);
  return ok_status();
}

/// The value as a number that is not negative; nullopt when it is of another type or below zero.
std::optional<uint64_t> as_unsigned(const ParameterValue& value) {
  if (const auto* number = std::get_if<uint64_t>(&value)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && *number >= 0) {
    return static_cast<uint64_t>(*number);
  }
  return std::nullopt;
}

Status read_sequence_id(ParameterValue value, InferRequest& request) {
  if (auto* text = std::get_if<std::string>(&value)) {
    request.sequence.id = std::move(*text);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    request.sequence.id = static_cast<uint64_t>(*number);  // clients put large ids into the signed field
  } else if (const auto* large = std::get_if<uint64_t>(&value)) {
    request.sequence.id = *large;
  } else {
    return wrong_type("sequence_id", "int64_param or string_param");
  }
  return ok_status();
}

Status read_priority(const ParameterValue& value, InferRequest& request) {
  const auto number = as_unsigned(value);
  if (number) {
    request.priority = std::min(*number, kBackgroundPriority - 1);
    return ok_status();
  }
  if (std::holds_alternative<int64_t>(value))
    return invalid_argument("invalid value for 'priority', expected value >= 0.");
  return wrong_type("priority", "int64_param or uint64_param");
}

Status read_timeout(const ParameterValue& value, InferRequest& request) {
  const auto number = as_unsigned(value);
  if (!number) {
    if (std::holds_alternative<int64_t>(value))
      return invalid_argument("invalid value for 'timeout', expected microseconds >= 0.");
    return wrong_type("timeout", "int64_param");
  }
  // A year is as good as no timeout, and far from what would overflow a clock.
  constexpr uint64_t kLongest = uint64_t{365} * 24 * 3600 * 1'000'000;
  request.timeout = std::chrono::microseconds(std::min(*number, kLongest));
  return ok_status();
}

}  // namespace

Status apply_request_parameter(std::string name, ParameterValue value, InferRequest& request) {
  if (name == "sequence_id") return read_sequence_id(std::move(value), request);
  if (name == "sequence_start") return read_flag(name, value, request.sequence.start);
  if (name == "sequence_end") return read_flag(name, value, request.sequence.end);
  if (name == "priority") return read_priority(value, request);
  if (name == "timeout") return read_timeout(value, request);
  if (name.starts_with("triton_")) {
    return invalid_argument(
        "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with "
        "'triton_' are allowed: triton_enable_empty_final_response (gRPC only); '" +
        name + "' is none of them");
  }
  request.parameters.set(std::move(name), std::move(value));
  return ok_status();
}

}  // namespace modelmill::kserve_v2
