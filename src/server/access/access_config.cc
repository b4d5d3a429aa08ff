#include "server/access/access_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "wire/http_text.h"

namespace modelmill {
namespace {

using Kind = AccessRule::Kind;

std::string group_list() {
  std::string list;
  for (const std::string_view name : wire::kApiGroupNames) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

/// A name as HTTP headers have it, in lower case; empty if it is none.
std::string header_name(std::string_view text) {
  if (text.empty() || text.find_first_of(" \t:,;\"()<>@/[]?={}\\") != std::string_view::npos) return {};
  for (const char c : text)
    if (c <= ' ' || static_cast<unsigned char>(c) >= 127) return {};
  return wire::lower_case(text);
}

std::optional<AccessRule> parse_rule(std::string_view text) {
  if (text == "open") return AccessRule{Kind::kOpen, {}, {}};
  if (text == "off") return AccessRule{Kind::kOff, {}, {}};
  if (text == "token") return AccessRule{Kind::kToken, {}, {}};
  constexpr std::string_view kHeader = "header:";
  if (!text.starts_with(kHeader)) return std::nullopt;
  text.remove_prefix(kHeader.size());
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals + 1 == text.size()) return std::nullopt;
  AccessRule rule{Kind::kHeader, header_name(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (rule.header.empty()) return std::nullopt;
  return rule;
}

/// Keys and tokens come in the same header.
Status check_keys(const AccessConfig& config) {
  constexpr double kMostMinutes = 60 * 24 * 366 * 10;
  if (!(config.key_minutes > 0 && config.key_minutes <= kMostMinutes))
    return invalid_argument("--torchserve-key-minutes must be above 0 and at most ten years");
  if (config.key_file.empty()) return ok_status();
  const bool tokens = std::any_of(config.rules.begin(), config.rules.end(),
                                  [](const auto& rule) { return rule && rule->kind == Kind::kToken; });
  if (!tokens && config.token_file.empty()) return ok_status();
  return invalid_argument(
      "--torchserve-key-file and tokens (--api GROUP=token, --token-file) are asked for by the same header; keep one "
      "of them");
}

/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

Status check_origin(const std::string& origin) {
  if (origin == "*") return ok_status();
  const size_t scheme = origin.find("://");
  const bool good = scheme != std::string::npos && scheme > 0 && scheme + 3 < origin.size() &&
                    origin.find_first_of("/ \t,*", scheme + 3) == std::string::npos;
  if (good) return ok_status();
  return invalid_argument("--cors-origin: '" + origin +
                          "' is no origin; write it as browsers send it, https://example.com or "
                          "http://localhost:3000, without a path, or * for every page");
}

Status check_count(const char* what, int64_t value) {
  if (value >= 0 && value <= 1'000'000'000) return ok_status();
  return invalid_argument(std::string(what) + " is " + std::to_string(value) + "; it must be between 0 and 1000000000");
}

}  // namespace

Status add_api_rule(const std::string& text, AccessConfig& config) {
  const size_t equals = text.find('=');
  const auto group = wire::api_group_named(std::string_view(text).substr(0, equals));
  if (!group) {
    return invalid_argument("'" + text.substr(0, equals) + "' is no group of calls; they are " + group_list());
  }
  const auto rule = equals == std::string::npos ? std::nullopt : parse_rule(std::string_view(text).substr(equals + 1));
  if (!rule) {
    return invalid_argument("'" + text + "' says not what the group's calls need; write " +
                            std::string(wire::api_group_name(*group)) + "=open, =off, =token or =header:NAME=VALUE");
  }
  std::optional<AccessRule>& place = config.rules[static_cast<size_t>(*group)];
  if (place) {
    return invalid_argument("the group " + std::string(wire::api_group_name(*group)) +
                            " is given twice; a group has one rule");
  }
  place = *rule;
  return ok_status();
}

Result<double> parse_client_rate(const std::string& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  double seconds = 0;
  if (unit.empty() || unit == "/s") seconds = 1;
  if (unit == "/m") seconds = 60;
  if (unit == "/h") seconds = 3600;
  const double rate = seconds == 0 ? 0 : number / seconds;
  if (error != std::errc() || !(rate >= 1e-4 && rate <= 1e9)) {
    return invalid_argument("'" + text + "' is no rate; write requests a second as 100 or 100/s, or 30/m, or 2/h");
  }
  return rate;
}

Status check_access_config(const AccessConfig& config) {
  MM_RETURN_IF_ERROR(check_keys(config));
  for (const std::string& origin : config.cors_origins) MM_RETURN_IF_ERROR(check_origin(origin));
  MM_RETURN_IF_ERROR(check_count("--client-burst", config.client_burst));
  if (config.client_burst > 0 && config.client_rate == 0)
    return invalid_argument("--client-burst needs --client-rate, which says how fast the burst is given back");
  return check_count("--client-concurrency", config.client_concurrency);
}

AccessRules access_rules(const AccessConfig& config, bool beyond_loopback) {
  AccessRules rules;
  if (beyond_loopback) rules[static_cast<size_t>(wire::ApiGroup::kManagement)].kind = Kind::kToken;
  for (size_t i = 0; i < rules.size(); ++i)
    if (config.rules[i]) rules[i] = *config.rules[i];
  return rules;
}

bool asks_for_token(const AccessRules& rules) {
  for (const AccessRule& rule : rules)
    if (rule.kind == Kind::kToken) return true;
  return false;
}

bool is_loopback_host(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

bool listens_beyond_loopback(const std::vector<wire::Endpoint>& endpoints) {
  return std::any_of(endpoints.begin(), endpoints.end(), [](const wire::Endpoint& endpoint) {
    return !endpoint.is_unix() && !is_loopback_host(endpoint.host);
  });
}

std::optional<std::string> curl_options(const AccessRule& rule) {
  switch (rule.kind) {
    case Kind::kOff: return std::nullopt;
    case Kind::kToken: return "-H 'authorization: Bearer TOKEN'";
    case Kind::kHeader: return "-H '" + rule.header + ": VALUE'";
    case Kind::kOpen: break;
  }
  return "";
}

std::string access_text(const AccessRules& rules, const std::string& token_file) {
  std::vector<std::string> open, off, token;
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  const auto is_or_are = [](const std::vector<std::string>& names) { return names.size() == 1 ? " is " : " are "; };
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string name(wire::kApiGroupNames[i]);
    switch (rules[i].kind) {
      case Kind::kOpen: open.push_back(name); break;
      case Kind::kOff: off.push_back(name); break;
      case Kind::kToken: token.push_back(name); break;
      case Kind::kHeader: add(name + " needs the header " + rules[i].header); break;
    }
  }
  if (!token.empty()) add(listed(token) + (token.size() == 1 ? " needs" : " need") + " a token of " + token_file);
  if (!off.empty()) add(listed(off) + is_or_are(off) + "off");
  if (!open.empty()) add(listed(open) + is_or_are(open) + "open to whoever reaches the port");
  return "Access: " + text + ".\n";
}

}  // namespace modelmill
