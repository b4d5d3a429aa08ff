#pragma once

#include <simdjson.h>

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "dialect/number_arrays.h"

namespace modelmill::tfserving {

/// The top level of a request's JSON, which must be an object. Lives until the parser's next use.
Result<simdjson::dom::object> read_json_body(simdjson::dom::parser& parser, const Bytes& body,
                                             const NumberArrays* apart);

/// The entry point of `version` that "signature_name" means, itself if there is none. INVALID_ARGUMENT for one that it
/// does not have.
Result<const ModelVersion*> json_signature(simdjson::dom::object body, const ModelVersion& version);

/// Whether it is {"b64": TEXT}, which stands for bytes.
bool is_base64_object(simdjson::dom::element value);
/// The bytes of such an object; INVALID_ARGUMENT where the text is no base64.
Result<std::string> base64_object_bytes(simdjson::dom::element value);

/// Appends {"b64": "..."}.
void append_base64_object(std::string& out, std::string_view bytes);

/// "JSON Value: <the value, shortened>".
std::string shown_value(simdjson::dom::element value);

}  // namespace modelmill::tfserving
