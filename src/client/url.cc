#include "client/url.h"

#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace modelmill {
namespace {

Status bad_url(std::string_view text, std::string_view why) {
  return invalid_argument(
      "server URL '" + without_secrets(text) + "': " + std::string(why) +
      "; expected http://HOST:PORT, https://HOST:PORT or unix:PATH, for example http://127.0.0.1:8000");
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_host_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
}

}  // namespace

std::string BaseUrl::authority() const {
  if (!unix_path.empty()) return "localhost";
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string BaseUrl::host_header() const {
  std::string whole = authority();
  if (unix_path.empty() && port == (tls ? 443 : 80)) whole.resize(whole.rfind(':'));
  return whole;
}

std::string BaseUrl::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return (tls ? "https://" : "http://") + authority() + prefix;
}

std::string without_secrets(std::string_view url) {
  std::string text(url);
  const size_t scheme_end = text.find("://");
  const size_t begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  // A password may hold what ends a host.
  if (const size_t at = text.rfind('@'); at != std::string::npos && at >= begin) text.replace(begin, at - begin, "...");
  if (const size_t end = text.find_first_of("?#"); end != std::string::npos) text.replace(end + 1, text.npos, "...");
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

Result<BaseUrl> parse_base_url(std::string_view text) {
  BaseUrl url;
  std::string_view rest = text;
  if (rest.starts_with("unix:")) {
    url.unix_path = rest.substr(rest.starts_with("unix://") ? 7 : 5);
    if (url.unix_path.empty()) return bad_url(text, "the path is missing");
    if (url.unix_path.size() >= sizeof(sockaddr_un::sun_path))
      return bad_url(text, "the path is too long for a socket");
    return url;
  }
  if (const size_t scheme_end = rest.find("://"); scheme_end != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, scheme_end);
    url.tls = scheme == "https";
    if (!url.tls && scheme != "http")
      return bad_url(text, "the scheme '" + std::string(scheme) + "' is not spoken here");
    rest.remove_prefix(scheme_end + 3);
    url.port = url.tls ? 443 : 80;
  }
  if (rest.find_first_of("?#@ ") != std::string_view::npos || std::any_of(rest.begin(), rest.end(), is_control)) {
    return bad_url(text, "it may not hold a user, a query, a fragment, a space or a control character");
  }
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    url.prefix = rest.substr(slash);
    while (!url.prefix.empty() && url.prefix.back() == '/') url.prefix.pop_back();
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) return bad_url(text, "'[' without ']'");
    url.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad_url(text, "only ':PORT' may follow ']'");
    if (!rest.empty()) port = rest.substr(1);
    if (rest == ":") return bad_url(text, "the port is missing after ':'");
  } else {
    const size_t colon = rest.find(':');
    url.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = rest.substr(colon + 1);
      if (port.empty()) return bad_url(text, "the port is missing after ':'");
    }
  }
  if (url.host.empty()) return bad_url(text, "it names no host");
  for (const char c : url.host) {
    if (!is_host_char(c)) return bad_url(text, "'" + url.host + "' is not a host name");
  }
  if (!port.empty()) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number == 0 || number > 65'535) {
      return bad_url(text, "'" + std::string(port) + "' is not a port between 1 and 65535");
    }
    url.port = static_cast<uint16_t>(number);
  }
  return url;
}

}  // namespace modelmill
