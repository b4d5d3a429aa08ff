#include "storage/proxy_choice.h"

#include <algorithm>
#include <cctype>

#include "storage/base64.h"
#include "storage/web_url.h"

namespace modelmill {
namespace {

std::string first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (std::string value = environment(name); !value.empty()) return value;
  return {};
}

/// "example.com" and ".example.com" mean the host and all below it; "*" means every host.
bool is_exempt(const BaseUrl& server, std::string list) {
  std::replace(list.begin(), list.end(), ' ', ',');
  std::string_view rest = list;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    std::string_view entry = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (entry == "*") return true;
    if (const size_t colon = entry.find(':');
        colon != std::string_view::npos && entry.find(':', colon + 1) == entry.npos) {
      if (entry.substr(colon + 1) != std::to_string(server.port)) continue;
      entry = entry.substr(0, colon);
    }
    if (entry.starts_with("*.")) entry.remove_prefix(1);
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty()) continue;
    if (server.host == entry || server.host.ends_with("." + std::string(entry))) return true;
  }
  return false;
}

}  // namespace

Result<ProxyChoice> choose_proxy(const BaseUrl& server, const Environment& environment) {
  // Metadata services answer on the link alone.
  if (server.host.starts_with("169.254.") || server.host == "metadata.google.internal") return ProxyChoice{};
  std::string text =
      server.tls ? first_of(environment, {"https_proxy", "HTTPS_PROXY"}) : first_of(environment, {"http_proxy"});
  if (text.empty()) text = first_of(environment, {"all_proxy", "ALL_PROXY"});
  if (text.empty() || is_exempt(server, first_of(environment, {"no_proxy", "NO_PROXY"}))) return ProxyChoice{};
  ProxyChoice choice;
  const size_t scheme_end = text.find("://");
  const size_t begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  if (const size_t at = text.rfind('@'); at != std::string::npos && at > begin) {
    choice.credentials = "Basic " + base64(percent_decode(std::string_view(text).substr(begin, at - begin)));
    text.erase(begin, at + 1 - begin);
  }
  if (scheme_end == std::string::npos) text = "http://" + text;
  auto url = parse_base_url(text);
  if (!url.ok()) return url.status().with_context("the proxy that the environment names");
  if (url->tls)
    return unimplemented("the proxy '" + text +
                         "' is to be spoken to with TLS, which is not done here; name an http:// proxy");
  choice.url = *std::move(url);
  choice.url.prefix.clear();
  return choice;
}

}  // namespace modelmill
