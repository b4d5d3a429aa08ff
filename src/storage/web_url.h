#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "client/url.h"

namespace modelmill {

/// An http or https URL in full. A value.
struct WebUrl {
  BaseUrl base;            // without a prefix
  std::string path = "/";  // percent-encoded
  std::string query = {};  // without '?'

  /// What a request line has.
  std::string target() const { return query.empty() ? path : path + '?' + query; }
  /// For messages and logs: queries carry signatures and tokens, so they are left out.
  std::string shown() const;
  /// The last part of the path, once it is decoded.
  std::string file_name() const;
};

/// A fragment is cut off. INVALID_ARGUMENT: another scheme, a user and password, a part '.' or '..' in the path.
Result<WebUrl> parse_web_url(std::string_view text);
/// What a redirect's Location means, seen from where it came.
Result<WebUrl> resolve_location(const WebUrl& from, std::string_view location);

/// "%41" as "A"; what is no such code stays.
std::string percent_decode(std::string_view text);
/// A path: as percent_encode, but slashes stay.
std::string percent_encode_path(std::string_view path);

}  // namespace modelmill
