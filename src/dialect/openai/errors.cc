#include "dialect/openai/errors.h"

#include <string>

#include "base/json_text.h"
#include "dialect/http_router.h"

namespace modelmill::openai {
namespace {

struct Kind {
  std::string_view type, code;  // an empty code is null
};

Kind kind_of(int status, std::string_view param) {
  switch (status) {
    case 401: return {"authentication_error", ""};
    case 403: return {"permission_error", ""};
    case 404: return {"invalid_request_error", param == "model" ? "model_not_found" : "unknown_url"};
    case 405: return {"invalid_request_error", "method_not_supported"};
    case 429: return {"rate_limit_error", "rate_limit_exceeded"};
    default: return {status < 500 ? "invalid_request_error" : "server_error", ""};
  }
}

std::string failure_json(int status, std::string_view message, std::string_view param) {
  const Kind kind = kind_of(status, param);
  JsonWriter json;
  json.begin_object().key("error").begin_object().field("message", message).field("type", kind.type);
  json.key("param");
  param.empty() ? json.null() : json.value(param);
  json.key("code");
  kind.code.empty() ? json.null() : json.value(kind.code);
  json.end_object().end_object();
  return json.take();
}

}  // namespace

wire::HttpReply failure_reply(const Status& status, std::string_view param) {
  wire::HttpReply reply = error_reply(status);  // with Retry-After where that helps
  reply.body = {Bytes::from_string(failure_json(reply.status, status.message(), param))};
  return reply;
}

wire::HttpReply method_not_allowed(const wire::HttpRequest& request, std::string_view allow) {
  const std::string message = "Not allowed to " + request.method + " on " + request.path + "; it takes ";
  wire::HttpReply reply = json_reply(405, failure_json(405, message + std::string(allow), {}));
  reply.headers.emplace_back("Allow", allow);
  return reply;
}

}  // namespace modelmill::openai
