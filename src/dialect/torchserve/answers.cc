#include "dialect/torchserve/answers.h"

#include <utility>

#include "base/json_text.h"
#include "dialect/http_router.h"

namespace modelmill::torchserve {
namespace {

constexpr std::string_view kNoModel = "Model not found";
constexpr std::string_view kNoVersion = "Model version: ";
constexpr std::string_view kNoWorker = " has no worker to serve inference request";
constexpr std::string_view kNotAllowed = "Requested method is not allowed";

std::string_view not_found_type(std::string_view message) {
  if (message.starts_with(kNoModel)) return "ModelNotFoundException";
  if (message.starts_with(kNoVersion)) return "ModelVersionNotFoundException";
  return "ResourceNotFoundException";
}

std::string_view package_of(std::string_view type) {
  const bool of_models = type.starts_with("Model") || type.starts_with("InvalidArchive");
  return of_models ? "org.pytorch.serve.archive.model." : "org.pytorch.serve.http.";
}

}  // namespace

Status model_not_found(std::string_view model) { return not_found(std::string(kNoModel) + ": " + std::string(model)); }

Status version_not_found(std::string_view model, std::string_view version) {
  return not_found(std::string(kNoVersion) + std::string(version) + " does not exist for model: " + std::string(model));
}

Status no_worker(std::string_view model, std::string_view version) {
  std::string text = "Model \"" + std::string(model) + "\"";
  if (!version.empty()) text += " Version " + std::string(version);
  return unavailable(text + std::string(kNoWorker) + ". Please use scale workers API to add workers.");
}

Status no_such_resource() { return not_found("Requested resource is not found, please refer to API document."); }

Status method_not_allowed() { return unimplemented(std::string(kNotAllowed) + ", please refer to API document."); }

Failure failure_of(const Status& status) {
  const std::string& message = status.message();
  switch (status.code()) {
    case Code::kNotFound: return {404, not_found_type(message), message};
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
    case Code::kFailedPrecondition: return {400, "BadRequestException", message};
    case Code::kUnauthenticated: return {401, "InvalidKeyException", message};
    case Code::kPermissionDenied: return {403, "IllegalArgumentException", message};
    case Code::kDeadlineExceeded: return {408, "RequestTimeoutException", message};
    case Code::kAlreadyExists:
    case Code::kAborted: return {409, "ConflictStatusException", message};
    case Code::kResourceExhausted:
    case Code::kUnavailable: return {503, "ServiceUnavailableException", message};
    case Code::kCancelled: return {499, "InternalServerException", message};
    case Code::kUnimplemented:
      if (message.starts_with(kNotAllowed)) return {405, "MethodNotAllowedException", message};
      return {501, "InternalServerException", message};
    default: return {500, "InternalServerException", message};
  }
}

Code grpc_code_of(int http_status) {
  switch (http_status) {
    case 400: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 408:
    case 504: return Code::kDeadlineExceeded;
    case 409: return Code::kAborted;
    case 413:
    case 429:
    case 507: return Code::kResourceExhausted;
    case 416: return Code::kOutOfRange;
    case 499: return Code::kCancelled;
    case 501: return Code::kUnimplemented;
    case 503: return Code::kUnavailable;
    default: break;
  }
  if (http_status >= 400 && http_status < 500) return Code::kFailedPrecondition;
  return http_status >= 500 && http_status < 600 ? Code::kInternal : Code::kUnknown;
}

Failure grpc_inference_failure(Failure failure) {
  if (failure.status == 404) failure.status = 500;
  if (failure.status != 503 || failure.message.find(kNoWorker) == std::string::npos) return failure;
  return {500, "InternalServerException", std::move(failure.message)};
}

std::string exception_class(const Failure& failure) {
  return std::string(package_of(failure.type)) + std::string(failure.type);
}

std::string grpc_message(const Failure& failure) { return failure.message + "\n" + exception_class(failure); }

std::string indented(std::string_view json) {
  std::string out;
  out.reserve(json.size() * 2);
  size_t depth = 0;
  const auto line = [&] { out.append("\n").append(2 * depth, ' '); };
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      in_string = c != '"';
      continue;
    }
    const bool empty = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
    switch (c) {
      case '{':
      case '[':
        out += c;
        if (empty) {
          out += json[++i];
        } else {
          ++depth;
          line();
        }
        break;
      case '}':
      case ']':
        --depth;
        line();
        out += c;
        break;
      case ',':
        out += c;
        line();
        break;
      case ':': out += ": "; break;
      default: in_string = c == '"'; out += c;
    }
  }
  out += '\n';
  return out;
}

std::string failure_json(const Failure& failure) {
  JsonWriter json;
  json.begin_object().field("code", failure.status).field("type", failure.type);
  json.field("message", failure.message).end_object();
  return indented(json.take());
}

wire::HttpReply failure_reply(const Failure& failure) {
  wire::HttpReply reply = json_reply(failure.status, failure_json(failure));
  if (failure.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

wire::HttpReply failure_reply(const Status& status) { return failure_reply(failure_of(status)); }

std::string status_json(std::string_view text) {
  JsonWriter json;
  json.begin_object().field("status", text).end_object();
  return json.take();
}

wire::HttpReply plain_reply(int status, std::string_view json) { return json_reply(status, indented(json)); }

}  // namespace modelmill::torchserve
