#pragma once

#include <string_view>

#include "wire/http.h"

namespace modelmill {

/// 405 with the methods that the path takes, such as "GET, POST".
wire::HttpReply wrong_method(std::string_view allowed);

/// Answers a request that is no GET. False: it is one.
bool refuse_all_but_get(wire::HttpExchange& exchange);

}  // namespace modelmill
