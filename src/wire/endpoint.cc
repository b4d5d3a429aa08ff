#include "wire/endpoint.h"

#include <sys/un.h>

#include <charconv>

namespace modelmill::wire {
namespace {

constexpr std::string_view kUnix = "unix:";
/// What sockaddr_un has room for, its terminating zero left out.
constexpr size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

Status wrong(std::string_view text, const std::string& why) {
  return invalid_argument("'" + std::string(text) + "' is no address to listen on: " + why +
                          "; expected HOST:PORT, [IPV6]:PORT or unix:PATH, for example 127.0.0.1:8000");
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Result<Endpoint> parse_unix(std::string_view text, std::string_view path) {
  if (path.starts_with("//")) path.remove_prefix(2);  // unix:///run/x, as gRPC writes it too
  if (path.empty()) return wrong(text, "the path is missing");
  if (path.find('\0') != std::string_view::npos) return wrong(text, "a path has no zero byte");
  if (path.size() > kLongestPath)
    return wrong(text, "the path has " + std::to_string(path.size()) + " bytes, and a unix socket's may have " +
                           std::to_string(kLongestPath));
  Endpoint endpoint;
  endpoint.host.clear();
  endpoint.port = 0;
  endpoint.path = path;
  return endpoint;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  std::string_view rest = text;
  if (take_prefix(rest, kUnix)) return parse_unix(text, rest);
  Endpoint endpoint;
  if (take_prefix(rest, "http://")) {
    endpoint.scheme = Endpoint::Scheme::kHttp;
  } else if (take_prefix(rest, "https://")) {
    endpoint.scheme = Endpoint::Scheme::kHttps;
  } else if (rest.find("://") != std::string_view::npos) {
    return wrong(text, "the schemes are http:// and https://");
  }
  if (endpoint.scheme != Endpoint::Scheme::kAny && rest.starts_with(kUnix))
    return wrong(text, "a unix socket is plain and has no scheme");

  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.back() == ']') return wrong(text, "the port is missing");
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  if (host.empty()) return wrong(text, "the host is missing, 0.0.0.0 being all addresses");
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return wrong(text, "the bracket of the IPv6 address is not closed");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong(text, "an IPv6 address stands in brackets");
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size())
    return wrong(text, "'" + std::string(port) + "' is no port from 0 to 65535");
  endpoint.host = host;
  return endpoint;
}

std::string address_text(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return std::string(kUnix) + endpoint.path;
  const bool brackets = endpoint.host.find(':') != std::string::npos;
  return (brackets ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

std::string url_text(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return address_text(endpoint);
  return (endpoint.scheme == Endpoint::Scheme::kHttps ? "https://" : "http://") + address_text(endpoint);
}

}  // namespace modelmill::wire
