#include "otlp/export_options.h"

#include <algorithm>

namespace modelmill {

namespace {

constexpr const char* kUsualPath = "/v1/traces";

}  // namespace

std::string shown_path(const ExportOptions& options) { return options.path == kUsualPath ? kUsualPath : "/..."; }

Status set_collector(std::string_view url, ExportOptions& options) {
  std::string text(url);
  if (text.starts_with("unix:"))
    return invalid_argument("'" + text + "' is no URL of a collector; expected http://HOST:4318 or https://HOST/PATH");
  if (text.find("://") == std::string::npos) {
    const size_t end = std::min(text.find('/'), text.size());
    const size_t host_end = text.starts_with('[') ? text.find(']') : 0;
    const bool has_port = host_end != std::string::npos && text.find(':', host_end) < end;
    if (!has_port) text.insert(end, ":4318");
    text.insert(0, "http://");
  }
  MM_ASSIGN_OR_RETURN(BaseUrl server, parse_base_url(text));
  options.path = server.prefix.empty() ? kUsualPath : server.prefix;
  server.prefix.clear();
  options.server = std::move(server);
  return ok_status();
}

}  // namespace modelmill
