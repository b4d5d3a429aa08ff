#pragma once

#include <string>

#include "request/infer_response.h"
#include "wire/http.h"

namespace modelmill {

/// Whether the client asks where its request's time went, by the header x-server-timing: 1.
bool asks_timing(const wire::HttpRequest& request);

/// The value of Server-Timing: milliseconds of waiting, of computing, with why the batch was cut and its rows, and of
/// all from the complete request until `now`; what did not happen is left out.
std::string server_timing(const RequestTimes& times, TimePoint now);

}  // namespace modelmill
