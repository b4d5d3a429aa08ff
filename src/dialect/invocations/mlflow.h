#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "dialect/invocations/json_members.h"
#include "dialect/tfserving/json_predict.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::invocations {

/// Reads a body of MLflow's, whose members these are: a dataframe, "instances" or "inputs". INVALID_ARGUMENT says what
/// does not fit. The answer has rows, or whole tensors, as the request.
Result<tfserving::JsonFormat> read_mlflow(const Bytes& body, const std::vector<JsonMember>& members,
                                          const ModelVersion& version, InferRequest& request);

/// {"predictions": ...}: the only output, or of several an object for each row, or one of tensors.
Result<std::string> write_mlflow(const InferResponse& response, tfserving::JsonFormat format);

/// Makes what stands beside the values in "params" (MLflow) or "parameters" (Vertex AI) parameters of the request, with
/// the meaning that V2's have. INVALID_ARGUMENT names what can't be one.
Status read_params(const std::vector<JsonMember>& members, InferRequest& request);

}  // namespace modelmill::invocations
