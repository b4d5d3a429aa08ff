#include "dialect/invocations/call.h"

#include <utility>
#include <vector>

#include "dialect/http_router.h"
#include "dialect/invocations/errors.h"
#include "dialect/invocations/json_members.h"
#include "dialect/invocations/mlflow.h"
#include "dialect/predict/request_codec.h"

namespace modelmill::invocations {

Status InvocationsCall::parse(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  std::vector<JsonMember> members;
  if (tells_json_length()) {
    form_ = BodyForm::kV2;
  } else {
    members = form_members(body.view());
    form_ = form_of(http().header("content-type"), members, version);
  }
  if (form_ == BodyForm::kV2) return V2Call::parse(body, version, request);
  request.id = http().header("x-request-id");
  if (form_ == BodyForm::kUnknown) return unknown_form(body);
  if (form_ == BodyForm::kCsv) {
    bool added_dimension = false;
    return predict::parse_inputs(body, predict::Format::kCsv, version.signature(), request, added_dimension);
  }
  if (form_ == BodyForm::kMlflow) {
    MM_ASSIGN_OR_RETURN(format_, read_mlflow(body, members, version, request));
  } else {
    MM_ASSIGN_OR_RETURN(format_, tfserving::read_json_predict(body, version, request));
  }
  return read_params(members, request);
}

Result<std::string> InvocationsCall::write_values(const InferResponse& response) const {
  MM_RETURN_IF_ERROR(response.status);
  return form_ == BodyForm::kTfServing ? tfserving::write_json_predict(response, format_)
                                       : write_mlflow(response, format_);
}

wire::HttpReply InvocationsCall::failure(const Status& status) const {
  if (form_ == BodyForm::kTfServing) return error_reply(status);
  return form_ == BodyForm::kUnknown ? any_failure(status) : mlflow_failure(status);
}

wire::HttpReply InvocationsCall::write(InferResponse response) {
  if (form_ == BodyForm::kV2) return V2Call::write(std::move(response));
  Result<std::string> body = write_values(response);
  return body.ok() ? json_reply(200, std::move(body).value()) : failure(body.status());
}

}  // namespace modelmill::invocations
