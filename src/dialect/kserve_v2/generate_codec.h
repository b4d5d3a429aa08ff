#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "model/signature.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::kserve_v2 {

/// Fills `request` from a JSON object of the generate extension. A member that is named like an input is that input: a
/// value, or an array of them, whose shape comes from the signature. "id" is the request's; all other members, and
/// those of the object "parameters", are parameters or inputs in the same way. INVALID_ARGUMENT says what does not fit.
Status parse_generate(const Bytes& body, const Signature& signature, InferRequest& request);

/// One response as such an object: outputs of one element are values, others flat arrays; parameters stand beside them.
/// An error is {"error": "..."}.
Result<std::string> write_generate(const InferResponse& response, std::string_view model, int64_t version,
                                   std::string_view id);

}  // namespace modelmill::kserve_v2
