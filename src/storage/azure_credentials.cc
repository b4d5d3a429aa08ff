#include "storage/azure_credentials.h"

#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>

#include "base/percent_text.h"
#include "storage/base64.h"
#include "storage/checksum.h"
#include "storage/credential_requests.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

constexpr const char* kVersion = "2021-08-06";
constexpr const char* kAudience = "https://storage.azure.com/";

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string without_question(std::string sas) {
  if (sas.starts_with('?')) sas.erase(0, 1);
  return sas;
}

/// Each parameter on a line, decoded, by name.
std::string canonical_parameters(std::string_view query) {
  std::map<std::string, std::string> parameters;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const size_t equals = std::min(field.find('='), field.size());
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    parameters[lower(percent_decode(field.substr(0, equals)))] = percent_decode(value);
  }
  std::string out;
  for (const auto& [name, value] : parameters) out += '\n' + name + ':' + value;
  return out;
}

}  // namespace

std::string azure_shared_key(const WebRequest& request, const std::string& account, const std::string& key) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) headers[lower(name)] = value;
  std::string text = request.method + '\n';
  for (const char* name : {"content-encoding", "content-language", "content-length", "content-md5", "content-type",
                           "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"})
    text += headers[name] + '\n';
  for (const auto& [name, value] : headers)
    if (name.starts_with("x-ms-")) text += name + ':' + value + '\n';
  text += '/' + account + request.url.path + canonical_parameters(request.url.query);
  return "SharedKey " + account + ':' + base64(hmac_sha256(key, text));
}

AzureCredentials::AzureCredentials(std::string account, Environment environment)
    : account_(std::move(account)),
      environment_(std::move(environment)),
      endpoint_("https://" + account_ + ".blob.core.windows.net"),
      web_(credential_requests(environment_)),
      nearby_(nearby_credential_requests(environment_)),
      tokens_([this](UtcTime now) { return ask(now); }) {}

Result<std::unique_ptr<AzureCredentials>> AzureCredentials::find(const std::string& account, const std::string& sas,
                                                                 Environment environment) {
  std::unique_ptr<AzureCredentials> out(new AzureCredentials(account, std::move(environment)));
  const Environment& env = out->environment_;
  out->sas_ = without_question(sas);
  if (const std::string text = env("AZURE_STORAGE_CONNECTION_STRING"); !text.empty())
    MM_RETURN_IF_ERROR(out->read_connection_string(text));
  if (!out->sas_.empty()) {
    out->key_.clear();
    return out;
  }
  // A key is one account's; for another it would only be refused.
  const std::string owner = env("AZURE_STORAGE_ACCOUNT");
  if (!out->key_.empty() || (!owner.empty() && owner != account)) return out;
  std::string key = env("AZURE_STORAGE_KEY");
  if (key.empty()) key = env("AZURE_STORAGE_ACCESS_KEY");
  const auto bytes = base64_bytes(key);
  if (!bytes) return invalid_argument("AZURE_STORAGE_KEY is not base64, as the keys of storage accounts are");
  out->key_ = *bytes;
  if (out->key_.empty()) out->sas_ = without_question(env("AZURE_STORAGE_SAS_TOKEN"));
  return out;
}

/// One that is of another account says nothing of this one.
Status AzureCredentials::read_connection_string(std::string_view text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    const size_t end = text.find(';');
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (const size_t equals = field.find('='); equals != std::string_view::npos)
      fields[lower(std::string(field.substr(0, equals)))] = field.substr(equals + 1);
  }
  if (!fields["accountname"].empty() && fields["accountname"] != account_) return ok_status();
  const auto key = base64_bytes(fields["accountkey"]);
  if (!key) return invalid_argument("AZURE_STORAGE_CONNECTION_STRING: AccountKey is not base64");
  key_ = *key;
  if (sas_.empty()) sas_ = without_question(fields["sharedaccesssignature"]);
  const std::string scheme = fields["defaultendpointsprotocol"] == "http" ? "http://" : "https://";
  if (!fields["endpointsuffix"].empty()) endpoint_ = scheme + account_ + ".blob." + fields["endpointsuffix"];
  if (!fields["blobendpoint"].empty()) endpoint_ = fields["blobendpoint"];
  while (endpoint_.ends_with('/')) endpoint_.pop_back();
  return ok_status();
}

Status AzureCredentials::allow(WebRequest& request, UtcTime now) {
  request.headers.emplace_back("x-ms-version", kVersion);
  request.headers.emplace_back("x-ms-date", utc_text(now, "%a, %d %b %Y %H:%M:%S GMT"));
  if (!sas_.empty()) {
    request.url.query += (request.url.query.empty() ? "" : "&") + sas_;
  } else if (!key_.empty()) {
    request.headers.emplace_back("Authorization", azure_shared_key(request, account_, key_));
  } else {
    MM_ASSIGN_OR_RETURN(const auto token, tokens_.token(now));
    if (token) request.headers.emplace_back("Authorization", "Bearer " + *token);
  }
  return ok_status();
}

Result<bool> AzureCredentials::anonymous(UtcTime now) {
  if (!sas_.empty() || !key_.empty()) return false;
  MM_ASSIGN_OR_RETURN(const auto token, tokens_.token(now));
  return !token.has_value();
}

Result<std::optional<BearerToken>> AzureCredentials::ask(UtcTime now) {
  const std::string client = environment_("AZURE_CLIENT_ID"), tenant = environment_("AZURE_TENANT_ID");
  const std::string secret = environment_("AZURE_CLIENT_SECRET"), file = environment_("AZURE_FEDERATED_TOKEN_FILE");
  if (!client.empty() && !tenant.empty() && !(secret.empty() && file.empty())) {
    std::string host = environment_("AZURE_AUTHORITY_HOST");
    if (host.empty()) host = "https://login.microsoftonline.com";
    while (host.ends_with('/')) host.pop_back();
    std::string form = "grant_type=client_credentials&client_id=" + percent_encode(client) +
                       "&scope=" + percent_encode(std::string(kAudience) + ".default");
    if (!secret.empty()) {
      form += "&client_secret=" + percent_encode(secret);
    } else {
      const auto assertion = read_token_file(file);
      if (!assertion) return not_found("AZURE_FEDERATED_TOKEN_FILE '" + file + "' can't be read");
      form += "&client_assertion_type=" + percent_encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") +
              "&client_assertion=" + percent_encode(*assertion);
    }
    MM_ASSIGN_OR_RETURN(BearerToken token,
                        ask_for_token(web_, host + '/' + percent_encode(tenant) + "/oauth2/v2.0/token", {}, form,
                                      "Azure's token for client '" + client + "'", now));
    return std::optional(std::move(token));
  }
  // A machine without such a service has no credentials; that is no error.
  std::string machine = environment_("AZURE_POD_IDENTITY_AUTHORITY_HOST");
  if (machine.empty()) machine = "http://169.254.169.254";
  while (machine.ends_with('/')) machine.pop_back();
  auto token = ask_for_token(
      nearby_,
      machine + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + percent_encode(kAudience) +
          (client.empty() ? "" : "&client_id=" + percent_encode(client)),
      {{"Metadata", "true"}}, "", "the machine's Azure identity", now);
  if (!token.ok()) return std::optional<BearerToken>();
  return std::optional(*std::move(token));
}

}  // namespace modelmill
