#include "storage/web_url.h"

#include <cctype>
#include <charconv>

#include "base/percent_text.h"

namespace modelmill {
namespace {

/// In whatever way it is written: servers and proxies decode paths before they walk them.
bool has_dot_part(std::string_view encoded) {
  const std::string path = percent_decode(encoded) + '/';
  for (size_t begin = 0, end = path.find('/'); end != std::string::npos; begin = end + 1, end = path.find('/', begin)) {
    const std::string_view part(path.data() + begin, end - begin);
    if (part == "." || part == "..") return true;
  }
  return false;
}

bool is_plain(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == 127 || c == '\\') return false;
  return true;
}

}  // namespace

std::string WebUrl::shown() const {
  return (base.tls ? "https://" : "http://") + base.host_header() + percent_decode(path);
}

std::string WebUrl::file_name() const {
  const std::string decoded = percent_decode(path);
  return decoded.substr(decoded.rfind('/') + 1);
}

Result<WebUrl> parse_web_url(std::string_view text) {
  const std::string_view whole = text.substr(0, text.find('#'));
  const std::string_view without_query = whole.substr(0, whole.find('?'));
  const auto wrong = [&](const char* why) {
    return invalid_argument("URL '" + std::string(without_query) + "': " + why);
  };
  const size_t scheme_end = whole.find("://");
  if (scheme_end == std::string_view::npos) return wrong("expected http://HOST/PATH or https://HOST/PATH");
  const size_t path_begin = whole.find_first_of("/?", scheme_end + 3);
  WebUrl url;
  MM_ASSIGN_OR_RETURN(url.base, parse_base_url(whole.substr(0, path_begin)));
  if (path_begin != std::string_view::npos) {
    std::string_view rest = whole.substr(path_begin);
    const size_t question = rest.find('?');
    if (question != std::string_view::npos) url.query = rest.substr(question + 1);
    url.path = rest.substr(0, question);
    if (url.path.empty()) url.path = "/";
  }
  if (!is_plain(url.path) || !is_plain(url.query)) return wrong("it may not hold a space, a control character or '\\'");
  if (has_dot_part(url.path)) return wrong("its path may not have a part '.' or '..'");
  return url;
}

Result<WebUrl> resolve_location(const WebUrl& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  if (location.find("://") != std::string_view::npos && location.find("://") < location.find_first_of("/?"))
    return parse_web_url(location);
  const std::string scheme = from.base.tls ? "https:" : "http:";
  if (location.starts_with("//")) return parse_web_url(scheme + std::string(location));
  const std::string root = scheme + "//" + from.base.authority();
  if (location.starts_with('/')) return parse_web_url(root + std::string(location));
  if (location.starts_with('?')) return parse_web_url(root + from.path + std::string(location));
  if (location.substr(0, location.find_first_of("/?")).find(':') != std::string_view::npos)
    return invalid_argument("a redirect to '" + std::string(location.substr(0, location.find('?'))) +
                            "' is not followed: only http and https are");
  return parse_web_url(root + from.path.substr(0, from.path.rfind('/') + 1) + std::string(location));
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string percent_encode_path(std::string_view path) {
  std::string out;
  while (true) {
    const size_t slash = path.find('/');
    out += percent_encode(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

}  // namespace modelmill
