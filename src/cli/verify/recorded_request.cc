#include "cli/verify/recorded_request.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "cli/json_fields.h"
#include "storage/base64.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// What is said of a connection or of how bytes travel; this client's own connection has its own.
constexpr std::array<std::string_view, 12> kOfConnections = {
    "host", "content-length",   "connection",          "keep-alive", "transfer-encoding", "accept-encoding", "upgrade",
    "te",   "proxy-connection", "proxy-authorization", "expect",     "user-agent"};

void add_header(RecordedRequest& request, std::string_view name, std::string_view value) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool of_connection =
      std::find(kOfConnections.begin(), kOfConnections.end(), lower) != kOfConnections.end() || lower.starts_with(':');
  if (!of_connection) request.headers.emplace_back(std::move(lower), std::string(value));
}

Status wrong(const std::string& place, const std::string& what) { return invalid_argument(place + ": " + what); }

/// A header's name and value go onto the wire as they are.
bool is_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Status check(const RecordedRequest& request) {
  if (!request.path.starts_with('/') || !is_line(request.path) || request.path.find(' ') != std::string::npos)
    return wrong(request.place, "'path' must begin with '/', as in /v2/models/ocr/infer, and have no blanks");
  const bool token = !request.method.empty() && std::all_of(request.method.begin(), request.method.end(), [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0;
  });
  if (!token) return wrong(request.place, "'method' must be a word such as POST");
  for (const auto& [name, value] : request.headers)
    if (name.empty() || !is_line(name) || name.find_first_of(": ") != std::string::npos || !is_line(value))
      return wrong(request.place, "header '" + name + "' can't be sent; correct its name or value");
  return ok_status();
}

Status read_body(const element& line, RecordedRequest& request) {
  std::string_view encoded;
  if (line["body_base64"].get(encoded) == simdjson::SUCCESS) {
    auto bytes = base64_bytes(encoded);
    if (!bytes) return wrong(request.place, "'body_base64' is not base64 with its padding");
    request.body = *std::move(bytes);
    return ok_status();
  }
  element body;
  if (line["body"].get(body)) return ok_status();
  std::string_view text;
  if (body.get(text) == simdjson::SUCCESS) {
    request.body = text;
    return ok_status();
  }
  request.body = simdjson::minify(body);
  const bool typed = std::any_of(request.headers.begin(), request.headers.end(),
                                 [](const auto& header) { return header.first == "content-type"; });
  if (!typed) request.headers.emplace_back("content-type", "application/json");
  return ok_status();
}

Result<RecordedRequest> read_line(const element& line, const std::string& place) {
  RecordedRequest request;
  request.place = place;
  if (!line.is_object()) return wrong(place, "expected an object such as {\"path\": \"/v2\"}");
  constexpr std::array<std::string_view, 5> kKeys = {"method", "path", "headers", "body", "body_base64"};
  for (const auto& [key, unused] : simdjson::dom::object(line))
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end())
      return wrong(place, "unknown key '" + std::string(key) + "'; there are method, path, headers, body, body_base64");
  request.path = text_of(line, "path");
  simdjson::dom::object headers;
  if (line["headers"].get(headers) == simdjson::SUCCESS) {
    for (const auto& [name, value] : headers) {
      std::string_view text;
      if (value.get(text)) return wrong(place, "header '" + std::string(name) + "' must be a text");
      add_header(request, name, text);
    }
  }
  MM_RETURN_IF_ERROR(read_body(line, request));
  request.method = text_of(line, "method");
  if (request.method.empty()) request.method = request.body.empty() ? "GET" : "POST";
  MM_RETURN_IF_ERROR(check(request));
  return request;
}

/// "/a?b" of "http://host:80/a?b#c".
std::string path_of_url(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t slash = url.find_first_of("/?", scheme == std::string::npos ? 0 : scheme + 3);
  std::string path = slash == std::string::npos ? "/" : url.substr(slash, url.find('#') - slash);
  return path.starts_with('?') ? "/" + path : path;
}

Result<RecordedRequest> read_entry(const element& entry, const std::string& place) {
  element sent;
  if (entry["request"].get(sent)) return wrong(place, "the entry has no 'request'");
  RecordedRequest request{place, text_of(sent, "method"), path_of_url(text_of(sent, "url")), {}, {}};
  for (const element& header : list_of(sent, "headers"))
    add_header(request, text_of(header, "name"), text_of(header, "value"));
  element data;
  if (sent["postData"].get(data) == simdjson::SUCCESS) {
    request.body = text_of(data, "text");
    if (text_of(data, "encoding") == "base64") {
      auto bytes = base64_bytes(request.body);
      if (!bytes) return wrong(place, "postData says that it is base64, and is not");
      request.body = *std::move(bytes);
    }
  }
  MM_RETURN_IF_ERROR(check(request));
  return request;
}

Result<std::vector<RecordedRequest>> read_har(const element& log, const std::string& file) {
  std::vector<RecordedRequest> out;
  for (const element& entry : list_of(log, "entries")) {
    MM_ASSIGN_OR_RETURN(out.emplace_back(), read_entry(entry, file + ": entry " + std::to_string(out.size() + 1)));
  }
  return out;
}

Result<std::vector<RecordedRequest>> read_lines(std::string_view text, const std::string& file) {
  std::vector<RecordedRequest> out;
  simdjson::dom::parser parser;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = file + ":" + std::to_string(number);
    element parsed;
    if (parser.parse(line.data(), line.size()).get(parsed))
      return wrong(place, "it is not JSON; each line is one request, such as {\"path\": \"/v2\"}");
    MM_ASSIGN_OR_RETURN(out.emplace_back(), read_line(parsed, place));
  }
  return out;
}

}  // namespace

Result<std::vector<RecordedRequest>> read_requests(std::string_view text, const std::string& file) {
  simdjson::dom::parser parser;
  element whole, log;
  const bool har = parser.parse(text.data(), text.size()).get(whole) == simdjson::SUCCESS &&
                   whole["log"].get(log) == simdjson::SUCCESS;
  auto out = har ? read_har(log, file) : read_lines(text, file);
  if (out.ok() && out->empty())
    return invalid_argument("'" + file + "' has no requests; write one a line, such as {\"path\": \"/v2\"}");
  return out;
}

}  // namespace modelmill
