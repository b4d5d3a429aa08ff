#include "server/access/access.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "server/access/access_gate.h"
#include "server/access/state_token.h"
#include "server/access/token_store.h"

namespace modelmill {
namespace {

using Kind = AccessRule::Kind;

bool told_to_ask_for_token(const AccessConfig& config) {
  return std::any_of(config.rules.begin(), config.rules.end(),
                     [](const auto& rule) { return rule && rule->kind == Kind::kToken; });
}

bool all_open(const AccessRules& rules) {
  return std::all_of(rules.begin(), rules.end(), [](const AccessRule& rule) { return rule.kind == Kind::kOpen; });
}

/// The operator's file, or one that the server has made; empty when there is none and none is needed.
Result<std::string> token_file(const AccessConfig& config, const std::string& state_directory,
                               const AccessRules& rules) {
  if (!config.token_file.empty() || !asks_for_token(rules)) return config.token_file;
  Result<std::string> made = keep_state_token(state_directory);
  if (made.ok()) return made;
  return Status(made.status().code(),
                made.status().message() + "; name a folder with --state-dir, or a file of tokens with --token-file");
}

}  // namespace

Result<Access> set_up_access(const AccessConfig& config, const std::string& state_directory,
                             const std::vector<wire::Endpoint>& endpoints, const HttpRouter& router,
                             HttpRouter::AccessLog log, MetricRegistry& metrics) {
  AccessGate::Options options;
  // TorchServe's keys close what the rules leave open.
  options.rules = access_rules(config, listens_beyond_loopback(endpoints) && config.key_file.empty());
  Result<std::string> file = token_file(config, state_directory, options.rules);
  if (!file.ok()) {
    if (told_to_ask_for_token(config)) return file.status();
    Log::warning("management is off: there is no token for it", {{"reason", file.status().message()}});
    options.rules[static_cast<size_t>(wire::ApiGroup::kManagement)].kind = Kind::kOff;
    file = std::string();
  }
  if (!file->empty()) {
    MM_ASSIGN_OR_RETURN(const std::shared_ptr<TokenStore> tokens, TokenStore::open(*file));
    tokens->watch();
    options.tokens = tokens;
    if (!asks_for_token(options.rules))
      Log::warning("no group of calls asks for a token of --token-file", {{"remedy", "--api inference=token"}});
  }
  options.restrictions = config.restrictions;
  options.management_prefixes = config.management_prefixes;
  options.cors_origins = config.cors_origins;
  options.limits.rate = config.client_rate;
  options.limits.burst = config.client_burst;
  options.limits.in_flight = config.client_concurrency;

  Access access;
  const bool limited = options.limits.rate > 0 || options.limits.in_flight > 0;
  const bool open = all_open(options.rules);
  access.curl_options = curl_options(options.rules[static_cast<size_t>(wire::ApiGroup::kInference)]);
  if (!open) access.announcement = access_text(options.rules, *file);
  options.endpoints_differ = std::any_of(endpoints.begin(), endpoints.end(),
                                         [](const wire::Endpoint& endpoint) { return !endpoint.serves.all(); });
  const bool told_more = !options.restrictions.empty() || !options.management_prefixes.empty();
  if (!open || limited || options.endpoints_differ || told_more || !options.cors_origins.empty())
    access.gatekeeper = std::make_shared<AccessGate>(std::move(options), router, std::move(log), metrics);
  return access;
}

}  // namespace modelmill
