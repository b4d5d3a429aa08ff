#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/route_definition.h"
#include "request/parameters.h"

namespace modelmill {

/// Where a route can look when it has to choose: views of a request, which outlives them. Making them copies nothing.
struct RequestFacts {
  using Fields = std::vector<std::pair<std::string, std::string>>;

  const Fields* headers = nullptr;         // names in lower case; of gRPC the metadata
  std::string_view query;                  // of the URL
  std::string_view peer;                   // "127.0.0.1:4711"
  const Parameters* parameters = nullptr;  // of the request itself; before it is parsed there are none
};

/// What a request has of a key; nullopt when it lacks it. A parameter of the request goes before one of its URL.
/// `scratch` keeps a value that is not in the request as it is.
std::optional<std::string_view> value_of(const RouteKey& key, const RequestFacts& facts, std::string& scratch);

}  // namespace modelmill
