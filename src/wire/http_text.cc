#include "wire/http_text.h"

#include <array>
#include <charconv>
#include <ctime>

#include "base/json_text.h"

namespace modelmill::wire {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::string_view http_date() {
  thread_local time_t t_second = -1;
  thread_local std::array<char, 32> t_text;
  thread_local size_t t_size = 0;
  const time_t now = std::time(nullptr);
  if (now != t_second) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    t_size = std::strftime(t_text.data(), t_text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    t_second = now;
  }
  return {t_text.data(), t_size};
}

HttpReply error_reply(int status, std::string_view message) {
  JsonWriter json;
  json.begin_object().field("error", message).end_object();
  return HttpReply::text(status, "application/json", json.take());
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

bool reply_header_passes(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name)
    if (c <= ' ' || c == ':' || static_cast<unsigned char>(c) >= 127) return false;
  for (const std::string_view ours :
       {"content-length", "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "date"})
    if (equals_ignoring_case(name, ours)) return false;
  return true;
}

std::string safe_header_value(std::string_view value) {
  std::string safe(value);
  for (char& c : safe)
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  return safe;
}

void split_target(std::string_view target, HttpRequest& request) {
  if (!target.empty() && target.front() != '/') {
    if (const size_t scheme = target.find("://"); scheme != std::string_view::npos) {
      const size_t slash = target.find_first_of("/?", scheme + 3);
      target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
  }
  if (const size_t fragment = target.find('#'); fragment != std::string_view::npos) target = target.substr(0, fragment);
  const size_t question = target.find('?');
  request.path.assign(target.substr(0, question));
  if (request.path.empty()) request.path.push_back('/');
  if (question != std::string_view::npos) request.query.assign(target.substr(question + 1));
}

size_t bytes_before_tensors(const HttpRequest& request) {
  constexpr std::string_view kInType = ";json-header-size=";  // of media types of Triton's
  std::string_view text = request.header("inference-header-content-length");
  if (text.empty()) {
    text = request.header("content-type");
    const size_t at = text.find(kInType);
    if (at == std::string_view::npos) return 0;
    text.remove_prefix(at + kInType.size());
  }
  size_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length;
}

bool is_grpc_content_type(std::string_view content_type) {
  constexpr std::string_view kGrpc = "application/grpc";
  if (!equals_ignoring_case(content_type.substr(0, kGrpc.size()), kGrpc)) return false;
  const std::string_view rest = content_type.substr(kGrpc.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';' || rest.front() == ' ';
}

}  // namespace modelmill::wire
