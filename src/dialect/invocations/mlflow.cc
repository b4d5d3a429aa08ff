#include "dialect/invocations/mlflow.h"

#include <array>
#include <utility>

#include "dialect/invocations/dataframe.h"
#include "dialect/invocations/dataframe_inputs.h"
#include "dialect/invocations/quoted.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/json_parameter.h"
#include "serve/inference.h"

namespace modelmill::invocations {
namespace {

namespace dom = simdjson::dom;
using tfserving::JsonFormat;

constexpr std::string_view kSplit = "dataframe_split";
constexpr std::string_view kRecords = "dataframe_records";
constexpr std::array<std::string_view, 4> kForms = {kSplit, kRecords, "instances", "inputs"};

/// The one member that has the values.
Result<std::string_view> find_values(const std::vector<JsonMember>& members) {
  std::string_view found;
  for (const std::string_view form : kForms) {
    if (json_member(members, form).empty()) continue;
    if (!found.empty())
      return invalid_argument("the body has '" + std::string(found) + "' and '" + std::string(form) +
                              "'; it must have one of dataframe_split, dataframe_records, instances and inputs");
    found = form;
  }
  return found;
}

Status read_dataframe(const Bytes& body, std::string_view member, const Signature& signature, InferRequest& request) {
  const ThreadJsonParser parser;
  MM_ASSIGN_OR_RETURN(const dom::element document, parse_json(*parser, body.view(), readable_from(body)));
  dom::element value;
  if (document.at_key(member).get(value) != simdjson::SUCCESS)
    return invalid_argument("'" + std::string(member) + "' is missing");
  MM_ASSIGN_OR_RETURN(const Dataframe frame, member == kSplit ? read_split(value) : read_records(value));
  return put_columns(frame, signature, request);
}

Status read_params_of(std::string_view member, std::string_view text, InferRequest& request) {
  const std::string name = "'" + std::string(member) + "'";
  if (text.empty() || text == "null") return ok_status();
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, text, text.size());
  if (!document.ok()) return document.status().with_context(name);
  dom::object object;
  if (document->get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument(name + " is no object with a value for each parameter");
  for (const auto& [key, value] : object) {
    if (value.is_null()) continue;
    if (key == kSignatureParameter)
      return invalid_argument("'signature_name' is no parameter of " + name +
                              "; it stands beside the values: {\"signature_name\": NAME, \"instances\": [...]}");
    MM_RETURN_IF_ERROR(
        kserve_v2::apply_json_parameter(key, value,
                                        "parameter " + quoted_name(key) + " of " + name +
                                            " is an array or object; a parameter is a string, a number, true or false",
                                        request));
  }
  return ok_status();
}

}  // namespace

Result<JsonFormat> read_mlflow(const Bytes& body, const std::vector<JsonMember>& members, const ModelVersion& version,
                               InferRequest& request) {
  MM_ASSIGN_OR_RETURN(const std::string_view form, find_values(members));
  if (form != kSplit && form != kRecords) return tfserving::read_json_predict(body, version, request);
  MM_RETURN_IF_ERROR(read_dataframe(body, form, version.signature(), request));
  return JsonFormat::kRow;
}

Result<std::string> write_mlflow(const InferResponse& response, JsonFormat format) {
  const bool one = response.outputs.size() == 1;
  return tfserving::write_json_predict(response, one ? JsonFormat::kColumn : format, "predictions");
}

Status read_params(const std::vector<JsonMember>& members, InferRequest& request) {
  for (const std::string_view member : {"params", "parameters"})
    MM_RETURN_IF_ERROR(read_params_of(member, json_member(members, member), request));
  return ok_status();
}

}  // namespace modelmill::invocations
