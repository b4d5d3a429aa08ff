#include "dialect/json_shape.h"

#include <iterator>
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

Status too_many_dimensions() {
  return invalid_argument("arrays are nested more than " + std::to_string(kMaxRank) + " deep");
}

Status too_deep(size_t depth) {
  return invalid_argument("an array stands where the first element is a value, at depth " + std::to_string(depth));
}

Status too_flat(size_t depth) {
  return invalid_argument("a value stands where the first element is an array, at depth " + std::to_string(depth));
}

Status check_length(int64_t length, size_t depth, const Shape& shape) {
  if (length == shape[depth]) return ok_status();
  return invalid_argument("arrays at depth " + std::to_string(depth) + " have " + std::to_string(shape[depth]) +
                          " and " + std::to_string(length) + " elements; all must be equally long");
}

/// What was set aside is equally long and deep in itself. As elsewhere, what is innermost is told of first.
Status check_set_aside(const Shape& found, size_t depth, const Shape& shape) {
  if (depth + found.size() > shape.size()) return too_deep(shape.size());
  if (depth + found.size() < shape.size()) return too_flat(depth + found.size());
  for (size_t i = found.size(); i-- > 0;) MM_RETURN_IF_ERROR(check_length(found[i], depth + i, shape));
  return ok_status();
}

/// The innermost arrays, which have nearly all that there is to be looked at.
Status check_row(dom::array row, size_t depth, const Shape& shape) {
  int64_t length = 0;
  for (const dom::element item : row) {
    if (item.is_array()) return too_deep(depth + 1);
    ++length;
  }
  return check_length(length, depth, shape);
}

/// Every array at `depth` must have the size that the first one there had, down to values at the last.
Status check_nesting(dom::element value, size_t depth, const Shape& shape, const NumberArrays* apart) {
  dom::array items;
  const bool is_array = value.get_array().get(items) == simdjson::SUCCESS;
  if (depth == shape.size()) return is_array ? too_deep(depth) : ok_status();
  if (!is_array) return too_flat(depth);
  if (const NumberArrays::Array* rows = set_aside(value, apart))
    return check_set_aside(rows->values.shape, depth, shape);
  if (depth + 1 == shape.size()) return check_row(items, depth, shape);
  int64_t length = 0;
  for (const dom::element item : items) {
    MM_RETURN_IF_ERROR(check_nesting(item, depth + 1, shape, apart));
    ++length;
  }
  return check_length(length, depth, shape);
}

/// How many there are; simdjson itself counts only so far.
int64_t length_of(dom::array items) {
  constexpr size_t kMostCounted = 0xFFFFFF;
  if (items.size() < kMostCounted) return static_cast<int64_t>(items.size());
  return std::distance(items.begin(), items.end());
}

}  // namespace

Status json_shape(dom::element value, const NumberArrays* apart, Shape& shape) {
  dom::element first = value;
  dom::array items;
  while (first.get_array().get(items) == simdjson::SUCCESS) {
    if (shape.size() == kMaxRank) return too_many_dimensions();
    if (const NumberArrays::Array* rows = set_aside(first, apart)) {
      const Shape& inner = rows->values.shape;
      if (shape.size() + inner.size() > kMaxRank) return too_many_dimensions();
      shape.insert(shape.end(), inner.begin(), inner.end());
      break;
    }
    const int64_t length = length_of(items);
    shape.push_back(length);
    if (length == 0) break;
    first = *items.begin();
  }
  return check_nesting(value, 0, shape, apart);
}

}  // namespace modelmill
