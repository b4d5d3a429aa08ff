#pragma once

#include <simdjson.h>

#include "base/status.h"
#include "dialect/number_arrays.h"
#include "tensor/shape.h"

namespace modelmill {

/// Appends to `shape` the shape of nested arrays: the sizes down the first elements, which all others must share. What
/// is no array is a value. `apart`: what was set aside of the text that `value` comes from, or null. INVALID_ARGUMENT
/// says at which depth sizes differ.
Status json_shape(simdjson::dom::element value, const NumberArrays* apart, Shape& shape);

}  // namespace modelmill
