#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// The fields of a JSON document that is kept in a store, of which "format" must be `format`; views of `parser`.
/// FAILED_PRECONDITION for another format, DATA_LOSS for what is no such document.
Result<simdjson::dom::object> open_kept_document(simdjson::dom::parser& parser, const std::string& text,
                                                 int64_t format);

/// DATA_LOSS: a field has what no release of this format writes.
Status wrong_kept_field(std::string_view name);
/// FAILED_PRECONDITION: a field that would be lost by writing the document again.
Status unknown_kept_field(std::string_view name);

}  // namespace modelmill
