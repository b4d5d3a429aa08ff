#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "catalog/model_version.h"
#include "dialect/invocations/json_members.h"

namespace modelmill::invocations {

/// Whose request a body is (docs/cloud-platforms.md has the rules).
enum class BodyForm {
  kUnknown,
  kV2,         // KServe's V2 protocol, with or without binary tensors
  kTfServing,  // TensorFlow Serving's predict request
  kMlflow,     // that of MLflow's scoring server, in JSON
  kCsv,        // the same in CSV
};

/// The members of a body that say whose it is, and those with parameters.
std::vector<JsonMember> form_members(std::string_view body);

/// Whether they are those of a V2 request, by what the first of its inputs says of itself.
bool has_tensors(const std::vector<JsonMember>& members);

/// What a body with these members is, for a model that is asked so.
BodyForm form_of(std::string_view content_type, const std::vector<JsonMember>& members, const ModelVersion& version);

/// What a body may be, for those who sent another, and why it is no JSON, if it is none.
Status unknown_form(const Bytes& body);

}  // namespace modelmill::invocations
