#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// Where a server is: "http://host:port/prefix", the same with https, or "unix:path". A value.
struct BaseUrl {
  std::string host;  // a name or an address; IPv6 without brackets
  uint16_t port = 8000;
  std::string prefix;  // what goes before every path: empty, or "/x" without a slash at the end
  bool tls = false;
  std::string unix_path = {};  // of a unix socket; then host and port mean nothing

  /// "host:port", with brackets around an IPv6 address. "localhost" with a unix socket.
  std::string authority() const;
  /// The Host header: the authority, without the port that its scheme has anyhow. Signatures of requests cover it.
  std::string host_header() const;
  /// "http://host:port/prefix" and so on.
  std::string text() const;
};

/// A URL as messages may show it, whether it is one or not: without user, password, query, fragment and control
/// characters.
std::string without_secrets(std::string_view url);

/// Reads "http://host[:port][/prefix]" (port 80 when left out), "https://host[:port][/prefix]" (443), "host[:port]"
/// (8000), or "unix:path". The error names what is wrong with the text.
Result<BaseUrl> parse_base_url(std::string_view text);

}  // namespace modelmill
