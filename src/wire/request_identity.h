#pragma once

#include <string_view>

#include "wire/http.h"

namespace modelmill::wire {

/// What the client calls its request, x-request-id and W3C's traceparent, goes back with every reply. Of a malformed
/// traceparent there is none.
void return_identity(HttpRequest& request, std::string_view request_id, std::string_view traceparent);
/// The same, out of the request's headers.
void return_identity(HttpRequest& request);

}  // namespace modelmill::wire
