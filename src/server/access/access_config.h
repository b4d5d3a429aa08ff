#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/access/restriction.h"
#include "wire/api_group.h"
#include "wire/endpoint.h"

namespace modelmill {

/// What the calls of one group ask of a client.
struct AccessRule {
  enum class Kind { kOpen, kOff, kToken, kHeader };
  Kind kind = Kind::kOpen;
  std::string header;  // kHeader: the name in lower case,
  std::string value;   // and the value that it must have

  bool operator==(const AccessRule&) const = default;
};

/// Of every group, in the order of wire::ApiGroup.
using AccessRules = std::array<AccessRule, wire::kApiGroups>;

/// Who may call what, as the operator has told it.
struct AccessConfig {
  /// Nothing: the default of where the server listens, see access_rules().
  std::array<std::optional<AccessRule>, wire::kApiGroups> rules;
  /// What calls of a kind need beside that, each with a protocol and a kind of its own.
  std::vector<Restriction> restrictions;
  /// Management is what lies under these paths ("/v2/", "/package.Service/"); the rest of its group is off. Empty: all.
  std::vector<std::string> management_prefixes;
  std::string token_file;
  /// Web pages that may call; "*" is all of them.
  std::vector<std::string> cors_origins;

  /// Where the keys of TorchServe's token authorization are written; empty: it is off.
  std::string key_file;
  double key_minutes = 60;  // that they last

  /// Bounds of each client's inference. 0: none.
  double client_rate = 0;    // requests a second
  int64_t client_burst = 0;  // that may come at once; 0: those of one second
  int64_t client_concurrency = 0;
};

/// Puts "GROUP=open", "GROUP=off", "GROUP=token" or "GROUP=header:NAME=VALUE" into config.rules. INVALID_ARGUMENT shows
/// the forms.
Status add_api_rule(const std::string& text, AccessConfig& config);

/// "100", "100/s", "30/m" or "2/h" as requests a second.
Result<double> parse_client_rate(const std::string& text);

/// INVALID_ARGUMENT that names the first setting out of its range.
Status check_access_config(const AccessConfig& config);

/// The rules in force. What is not told is open, but for management beyond the loopback, which needs a token.
AccessRules access_rules(const AccessConfig& config, bool beyond_loopback);

/// Whether any of the rules asks for a token.
bool asks_for_token(const AccessRules& rules);

/// Whether only this machine can reach an address or name to listen on. Names other than localhost count as reachable
/// from elsewhere.
bool is_loopback_host(const std::string& host);
/// Whether another machine can reach any of the endpoints; a unix socket is this machine's.
bool listens_beyond_loopback(const std::vector<wire::Endpoint>& endpoints);

/// What curl is told beside a URL, for a call of the group, with words to fill in where there are secrets; empty:
/// nothing. Nothing at all when the group is off.
std::optional<std::string> curl_options(const AccessRule& rule);

/// What the announcement says of the rules: a line. `token_file` is where the token is, if any is asked for.
std::string access_text(const AccessRules& rules, const std::string& token_file);

}  // namespace modelmill
