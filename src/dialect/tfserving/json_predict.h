#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::tfserving {

/// How a predict request has its values, and its answer too.
enum class JsonFormat {
  kRow,     // "instances": a list of rows; the answer has "predictions"
  kColumn,  // "inputs": whole tensors; the answer has "outputs"
};

/// Reads the body of a predict request for `version` into `request`. INVALID_ARGUMENT says what does not fit.
Result<JsonFormat> read_json_predict(const Bytes& body, const ModelVersion& version, InferRequest& request);

/// The body of its answer. Strings of outputs whose names end in "_bytes" are written as {"b64": ...}. INVALID_ARGUMENT
/// for outputs that have no rows in common, where rows are to be written.
Result<std::string> write_json_predict(const InferResponse& response, JsonFormat format);
/// The same in the member `member`.
Result<std::string> write_json_predict(const InferResponse& response, JsonFormat format, std::string_view member);

}  // namespace modelmill::tfserving
