#include "dialect/torchserve/form_fields.h"

#include <algorithm>
#include <optional>

#include "base/percent_text.h"
#include "wire/http_text.h"

namespace modelmill::torchserve {
namespace {

constexpr std::string_view kMultipart = "multipart/form-data";
constexpr std::string_view kUrlEncoded = "application/x-www-form-urlencoded";
/// More are nobody's form.
constexpr size_t kMostFields = 1024;

bool begins_with(std::string_view text, std::string_view lower) {
  return wire::equals_ignoring_case(text.substr(0, lower.size()), lower);
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The parameter of that name in `TYPE; NAME=VALUE; NAME="VALUE"`; nullopt: there is none.
std::optional<std::string> parameter(std::string_view header, std::string_view wanted) {
  size_t at = header.find(';');
  while (at != std::string_view::npos) {
    header.remove_prefix(at + 1);
    const size_t equals = header.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = trimmed(header.substr(0, equals));
    header = header.substr(equals + 1);
    std::string value;
    if (!header.empty() && header.front() == '"') {
      size_t i = 1;
      for (; i < header.size() && header[i] != '"'; ++i) {
        if (header[i] == '\\' && i + 1 < header.size()) ++i;
        value += header[i];
      }
      header.remove_prefix(std::min(i + 1, header.size()));
    } else {
      value = trimmed(header.substr(0, header.find(';')));
    }
    if (wire::equals_ignoring_case(name, wanted)) return value;
    at = header.find(';');
  }
  return std::nullopt;
}

/// The headers of a part, up to its empty line.
Status read_part_headers(std::string_view headers, Field& field) {
  bool named = false;
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(end == std::string_view::npos ? headers.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (wire::equals_ignoring_case(name, "content-type")) field.content_type = value;
    if (!wire::equals_ignoring_case(name, "content-disposition")) continue;
    if (const auto text = parameter(value, "name")) {
      field.name = *text;
      named = true;
    }
  }
  if (!named)
    return invalid_argument("a part of the form has no name; each needs Content-Disposition: form-data; name=");
  return ok_status();
}

Result<Fields> read_multipart(const Bytes& body, std::string_view content_type) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 200)
    return invalid_argument("the Content-Type of the form names no boundary");
  const std::string_view text = body.view();
  const std::string mark = "--" + *boundary;
  size_t at = text.starts_with(mark) ? 0 : text.find("\r\n" + mark);
  if (at == std::string_view::npos) return invalid_argument("the form has no part: its boundary is not in the body");
  if (at != 0) at += 2;
  Fields fields;
  while (true) {
    at += mark.size();
    if (text.substr(at, 2) == "--") return fields;
    const size_t line = text.find("\r\n", at);
    const size_t blank = line == std::string_view::npos ? line : text.find("\r\n\r\n", line);
    const size_t end = blank == std::string_view::npos ? blank : text.find("\r\n" + mark, blank + 2);
    if (end == std::string_view::npos) return invalid_argument("the form is cut off: its last boundary is missing");
    if (fields.size() == kMostFields)
      return invalid_argument("the form has more than " + std::to_string(kMostFields) + " parts; send fewer");
    Field& field = fields.emplace_back();
    if (blank > line) MM_RETURN_IF_ERROR(read_part_headers(text.substr(line + 2, blank - line - 2), field));
    const size_t value = std::min(blank + 4, end);
    field.value = body.slice(value, end - value);
    at = end + 2;
  }
}

Result<Fields> read_url_encoded(std::string_view text) {
  MM_ASSIGN_OR_RETURN(NamedTexts all, parse_query(text, kMostFields));
  Fields fields;
  for (auto& [name, value] : all) fields.push_back({std::move(name), {}, Bytes::from_string(std::move(value))});
  return fields;
}

std::string quoted_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\r' || c == '\n' ? ' ' : c;
  }
  return out;
}

}  // namespace

bool is_form(std::string_view content_type) {
  return begins_with(content_type, kMultipart) || begins_with(content_type, kUrlEncoded);
}

Result<Fields> read_form(const Bytes& body, std::string_view content_type) {
  return begins_with(content_type, kMultipart) ? read_multipart(body, content_type) : read_url_encoded(body.view());
}

Bytes write_form(const Fields& fields, std::string& content_type) {
  const auto occurs = [&](std::string_view boundary) {
    return std::any_of(fields.begin(), fields.end(),
                       [&](const Field& field) { return field.value.view().find(boundary) != std::string_view::npos; });
  };
  std::string boundary = "modelmill-form-boundary";
  for (int i = 0; occurs(boundary); ++i) boundary = "modelmill-form-boundary-" + std::to_string(i);
  std::string out;
  for (const Field& field : fields) {
    const std::string name = quoted_name(field.name);
    out += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + name +
           "\"\r\nContent-Type: application/octet-stream\r\n\r\n";
    out.append(field.value.view()).append("\r\n");
  }
  out += "--" + boundary + "--\r\n";
  content_type = "multipart/form-data; boundary=" + boundary;
  return Bytes::from_string(std::move(out));
}

}  // namespace modelmill::torchserve
