#pragma once

#include <string_view>

#include "base/status.h"
#include "wire/http.h"

namespace modelmill::openai {

/// {"error": {"message", "type", "param", "code"}} with the status that OpenAI's clients expect of such an error.
/// `param`: the member of the request that is wrong; empty: null.
wire::HttpReply failure_reply(const Status& status, std::string_view param = {});

/// A path that is served by other methods, named in `allow`.
wire::HttpReply method_not_allowed(const wire::HttpRequest& request, std::string_view allow);

}  // namespace modelmill::openai
