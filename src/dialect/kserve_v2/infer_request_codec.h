#pragma once

#include <boost/container/small_vector.hpp>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "dialect/kserve_v2/open_request.h"
#include "dialect/kserve_v2/shared_tensors.h"
#include "request/infer_request.h"

namespace modelmill::kserve_v2 {

/// What a ModelInferRequest asks of the dialect itself.
struct InferOptions {
  /// Wants an empty response that ends a stream of responses.
  bool empty_final_response = false;
  /// What it says beside its tensors' data, for a model with an open signature.
  OpenRequest open;
};

/// Fills `request` from a ModelInferRequest: `fields` is the serialised message without its raw_input_contents, `raw`
/// are those, moved into the inputs. Inputs that lie in shared memory have no data yet: what is to be had there is in
/// `shared`. INVALID_ARGUMENT, in Triton's words where it has some, otherwise. Even then `id` and `model` are set where
/// they could be read. A version that is no number is a label.
Status parse_infer_request(std::string_view fields, boost::container::small_vector<Bytes, 2>& raw,
                           InferRequest& request, InferOptions& options, SharedTensors& shared);

}  // namespace modelmill::kserve_v2
