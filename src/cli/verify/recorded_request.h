#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/http_client.h"

namespace modelmill {

/// A request that can be sent to any server.
struct RecordedRequest {
  std::string place;  // "requests.jsonl:3"
  std::string method;
  std::string path;  // with its query
  HttpClient::Headers headers;
  std::string body;
};

/// Reads requests: lines of JSON with `path`, and `method`, `headers`, `body` (a text, or any other JSON, which is sent
/// as JSON) or `body_base64`; or a HAR file. Headers that belong to a connection, and those that ask for a compressed
/// answer, are left out. INVALID_ARGUMENT names the line or entry that is wrong.
Result<std::vector<RecordedRequest>> read_requests(std::string_view text, const std::string& file);

}  // namespace modelmill
