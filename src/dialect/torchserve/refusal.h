#pragma once

#include "base/status.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// failure_reply(), and where it is 405, the methods that the request's path takes in the header Allow.
wire::HttpReply refusal(const Status& status, const wire::HttpRequest& request);

}  // namespace modelmill::torchserve
