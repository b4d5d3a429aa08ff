#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace modelmill::torchserve {

/// One named value of a request: of a form, or of a gRPC message.
struct Field {
  std::string name;
  std::string content_type;  // empty: it has none
  Bytes value;               // of the request's memory where that has it as it is
};
using Fields = std::vector<Field>;

/// Whether a Content-Type is that of a form.
bool is_form(std::string_view content_type);

/// The fields of a form: multipart/form-data or application/x-www-form-urlencoded. INVALID_ARGUMENT says what is
/// broken.
Result<Fields> read_form(const Bytes& body, std::string_view content_type);

/// Fields as one multipart/form-data body of files, and the Content-Type that names its boundary.
Bytes write_form(const Fields& fields, std::string& content_type);

}  // namespace modelmill::torchserve
