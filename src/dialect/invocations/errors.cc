#include "dialect/invocations/errors.h"

#include <string_view>

#include "base/json_text.h"
#include "dialect/http_router.h"

namespace modelmill::invocations {
namespace {

std::string_view error_code(Code code) {
  switch (code) {
    case Code::kNotFound: return "RESOURCE_DOES_NOT_EXIST";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kUnauthenticated: return "UNAUTHENTICATED";
    case Code::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case Code::kUnimplemented: return "NOT_IMPLEMENTED";
    case Code::kUnavailable: return "TEMPORARILY_UNAVAILABLE";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case Code::kCancelled: return "CANCELLED";
    case Code::kInternal:
    case Code::kDataLoss:
    case Code::kUnknown: return "INTERNAL_ERROR";
    default: return "BAD_REQUEST";
  }
}

wire::HttpReply failure(const Status& status, bool of_any) {
  JsonWriter json;
  json.begin_object();
  if (of_any) json.field("error", status.message());
  json.field("error_code", error_code(status.code())).field("message", status.message()).end_object();
  wire::HttpReply reply = error_reply(status);  // with Retry-After where that helps
  reply.body = {Bytes::from_string(json.take())};
  return reply;
}

}  // namespace

wire::HttpReply mlflow_failure(const Status& status) { return failure(status, false); }

wire::HttpReply any_failure(const Status& status) { return failure(status, true); }

}  // namespace modelmill::invocations
