#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "request/infer_request.h"

namespace modelmill::kserve_v2 {

/// The bytes of a tensor from its serialised InferTensorContents, which must hold elements in the one field that
/// belongs to the tensor's dtype. Narrow integers are cut down from the 32-bit fields that carry them. How many
/// elements there must be is the request path's to check. `model` is for messages.
Result<Bytes> decode_typed_contents(std::string_view contents, const Tensor& tensor, std::string_view model);

}  // namespace modelmill::kserve_v2
