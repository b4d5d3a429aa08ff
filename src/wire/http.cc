#include "wire/http.h"

namespace modelmill::wire {

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

HttpReply HttpReply::text(int status, std::string_view content_type, std::string body) {
  HttpReply reply;
  reply.status = status;
  reply.headers.emplace_back("content-type", content_type);
  if (!body.empty()) reply.body.push_back(Bytes::from_string(std::move(body)));
  return reply;
}

}  // namespace modelmill::wire
