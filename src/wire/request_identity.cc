#include "wire/request_identity.h"

namespace modelmill::wire {

void return_identity(HttpRequest& request, std::string_view request_id, std::string_view traceparent) {
  if (!request_id.empty()) request.reply_headers.emplace_back("x-request-id", request_id);
  if (traceparent.empty()) return;
  const auto trace = parse_traceparent(traceparent);
  if (!trace) return;
  request.trace = *trace;
  request.reply_headers.emplace_back("traceparent", traceparent);
}

void return_identity(HttpRequest& request) {
  std::string_view request_id, traceparent;
  for (const auto& [name, value] : request.headers) {
    if (request_id.empty() && name == "x-request-id") request_id = value;
    if (traceparent.empty() && name == "traceparent") traceparent = value;
  }
  return_identity(request, request_id, traceparent);
}

}  // namespace modelmill::wire
