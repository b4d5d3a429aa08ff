#include "dialect/invocations/body_form.h"

#include <array>
#include <string>

#include "dialect/json_input.h"
#include "dialect/tfserving/saved_model.h"
#include "wire/http_text.h"

namespace modelmill::invocations {
namespace {

constexpr std::array<std::string_view, 7> kMembers = {
    "inputs", "instances", "dataframe_split", "dataframe_records", "signature_name", "params", "parameters"};
constexpr std::array<std::string_view, 3> kOfTensors = {"name", "shape", "datatype"};

}  // namespace

bool has_tensors(const std::vector<JsonMember>& members) {
  const std::string_view inputs = json_member(members, "inputs");
  if (!inputs.starts_with('[')) return false;
  const std::vector<JsonMember> first = json_members(after_spaces(inputs.substr(1)), kOfTensors);
  const auto has = [&first](std::string_view key) { return !json_member(first, key).empty(); };
  return has("datatype") || (has("name") && has("shape"));
}

std::vector<JsonMember> form_members(std::string_view body) { return json_members(body, kMembers); }

BodyForm form_of(std::string_view content_type, const std::vector<JsonMember>& members, const ModelVersion& version) {
  if (wire::equals_ignoring_case(content_type.substr(0, 8), "text/csv")) return BodyForm::kCsv;
  const auto has = [&members](std::string_view key) { return !json_member(members, key).empty(); };
  if (has_tensors(members)) return BodyForm::kV2;
  if (has("dataframe_split") || has("dataframe_records")) return BodyForm::kMlflow;
  if (!has("instances") && !has("inputs")) return BodyForm::kUnknown;
  if (has("signature_name")) return BodyForm::kTfServing;
  return has("params") || !tfserving::is_saved_model(version) ? BodyForm::kMlflow : BodyForm::kTfServing;
}

Status unknown_form(const Bytes& body) {
  const std::string known =
      "the body is none that is known here: it is JSON with 'inputs' (a list of tensors with name, datatype and "
      "shape, or values), 'instances', 'dataframe_split' or 'dataframe_records', or CSV (Content-Type: text/csv)";
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, body.view(), readable_from(body));
  return invalid_argument(document.ok() ? known : known + "; read as JSON: " + document.status().message());
}

}  // namespace modelmill::invocations
