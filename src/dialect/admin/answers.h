#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::admin {

/// 200 with a document, or the error.
wire::HttpReply reply_of(Result<std::string> json);

/// What answers a request; it may block.
using Answer = std::function<wire::HttpReply()>;

/// Has `answer` called by the offload, or, without one (null), on the loop, and replies with what it gives.
void reply_apart(Offload* offload, std::shared_ptr<wire::HttpExchange> exchange, Answer answer);

}  // namespace modelmill::admin
