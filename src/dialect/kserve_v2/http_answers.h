#pragma once

#include <string_view>

#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// {"error": "<message>"} with that HTTP status.
wire::HttpReply plain_error(int status, std::string_view message);
wire::HttpReply no_such_path();

}  // namespace modelmill::kserve_v2
