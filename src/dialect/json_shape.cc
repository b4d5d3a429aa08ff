#include "dialect/json_shape.h"

#include <string>

#include "base/result.h"

namespace modelmill {
namespace {

namespace dom = simdjson::dom;

/// The elements of `value` where it is a row of numbers that was set aside, else null.
const NumberArrays::Array* set_aside(dom::element value, const NumberArrays* apart) {
  dom::array items;
  if (apart == nullptr || value.get_array().get(items) != simdjson::SUCCESS || items.begin() == items.end())
    return nullptr;
  return apart->find(*items.begin());
}

/// Every array at `depth` must have the size that the first one there had, down to values at the last.
Status check_nesting(dom::element value, size_t depth, const Shape& shape, const NumberArrays* apart) {
  dom::array items;
  const bool is_array = value.get_array().get(items) == simdjson::SUCCESS;
  if (depth == shape.size()) {
    return is_array ? invalid_argument("an array stands where the first element is a value, at depth " +
                                       std::to_string(depth))
                    : ok_status();
  }
  if (!is_array) {
    return invalid_argument("a value stands where the first element is an array, at depth " + std::to_string(depth));
  }
  int64_t length = 0;
  if (const NumberArrays::Array* row = set_aside(value, apart)) {
    length = row->values.count;
    if (depth + 1 != shape.size()) {
      return invalid_argument("a value stands where the first element is an array, at depth " +
                              std::to_string(depth + 1));
    }
  } else {
    for (const dom::element item : items) {
      MM_RETURN_IF_ERROR(check_nesting(item, depth + 1, shape, apart));
      ++length;
    }
  }
  if (length == shape[depth]) return ok_status();
  return invalid_argument("arrays at depth " + std::to_string(depth) + " have " + std::to_string(shape[depth]) +
                          " and " + std::to_string(length) + " elements; all must be equally long");
}

}  // namespace

Status json_shape(dom::element value, const NumberArrays* apart, Shape& shape) {
  dom::element first = value;
  dom::array items;
  while (first.get_array().get(items) == simdjson::SUCCESS) {
    if (shape.size() == kMaxRank) {
      return invalid_argument("arrays are nested more than " + std::to_string(kMaxRank) + " deep");
    }
    if (const NumberArrays::Array* row = set_aside(first, apart)) {
      shape.push_back(row->values.count);
      break;
    }
    int64_t length = 0;
    for (const dom::element item : items) {
      if (length++ == 0) first = item;
    }
    shape.push_back(length);
    if (length == 0) break;
  }
  return check_nesting(value, 0, shape, apart);
}

}  // namespace modelmill
