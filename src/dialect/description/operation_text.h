#pragma once

#include <string>
#include <string_view>

#include "base/json_text.h"
#include "dialect/description/operations.h"

namespace modelmill::description {

// What OpenAPI says of operations.

/// The key "content" of a body or a reply. `schema` is that of what is JSON, and `example` one of it; empty: any, none.
void write_content(JsonWriter& json, Content content, std::string_view schema, const std::string& example = {});

/// The replies that tell of errors, as `schema` has them.
void write_error_replies(JsonWriter& json, std::string_view schema);

/// The operation at `path`, in the object of that path. Names in braces are its parameters; `example` is one of its
/// body.
void write_operation(JsonWriter& json, const Operation& operation, std::string_view path,
                     const std::string& example = {});

}  // namespace modelmill::description
