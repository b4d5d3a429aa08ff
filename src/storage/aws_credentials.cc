#include "storage/aws_credentials.h"

#include <cctype>
#include <pugixml.hpp>
#include <utility>

#include "base/percent_text.h"
#include "base/utc_time.h"
#include "storage/credential_requests.h"
#include "storage/json_fields.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

constexpr std::chrono::minutes kRenewBefore(5);
constexpr auto kNeverExpires = std::chrono::system_clock::time_point::max();
constexpr const char* kMachine = "http://169.254.169.254";
constexpr const char* kContainer = "http://169.254.170.2";
constexpr const char* kRolesPath = "/latest/meta-data/iam/security-credentials/";

WebClient::Options service_requests(const Environment& environment) {
  WebClient::Options options = credential_requests(environment);
  options.ca_file = environment("AWS_CA_BUNDLE");
  options.ca_setting = "AWS_CA_BUNDLE";
  return options;
}

bool is_true(const std::string& text) { return text == "1" || text == "true" || text == "True" || text == "TRUE"; }

Result<ClientReply> ask(WebClient& web, std::string method, const std::string& url, HttpClient::Headers headers,
                        std::string body = {}) {
  WebRequest request;
  MM_ASSIGN_OR_RETURN(request.url, parse_web_url(url));
  request.method = std::move(method);
  request.headers = std::move(headers);
  request.body = std::move(body);
  const std::atomic<bool> never{false};
  return web.send(request, {}, never);
}

/// What containers' and machines' endpoints answer alike.
Result<AwsCredentials> credentials_of_json(const ClientReply& reply, const std::string& what) {
  if (reply.status != 200)
    return Status(Code::kUnauthenticated, what + ": the server answered HTTP " + std::to_string(reply.status));
  MM_ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::parse(reply.body, what));
  AwsCredentials out{fields.get("AccessKeyId"), fields.get("SecretAccessKey"), fields.get("Token")};
  if (out.key_id.empty() || out.secret.empty()) return Status(Code::kUnauthenticated, what + " holds no key");
  out.expires = utc_of_iso(fields.get("Expiration")).value_or(kNeverExpires);
  return out;
}

}  // namespace

AwsCredentialsChain::AwsCredentialsChain(Environment environment, AwsProfile profile, std::string region)
    : environment_(std::move(environment)),
      profile_(std::move(profile)),
      region_(std::move(region)),
      web_(service_requests(environment_)),
      nearby_(nearby_credential_requests(environment_)) {}

Result<std::optional<AwsCredentials>> AwsCredentialsChain::get(std::chrono::system_clock::time_point now) {
  MutexLock lock(mutex_);
  if (known_ && (!*known_ || (*known_)->expires == kNeverExpires || now + kRenewBefore < (*known_)->expires))
    return *known_;
  auto found = look();
  if (found.ok()) known_ = *found;
  // What has not quite ended is better than nothing.
  if (!found.ok() && known_ && *known_ && now < (*known_)->expires) return *known_;
  return found;
}

Result<std::optional<AwsCredentials>> AwsCredentialsChain::look() {
  if (is_true(environment_("AWS_S3_ANONYMOUS"))) return std::optional<AwsCredentials>();
  const std::string key = environment_("AWS_ACCESS_KEY_ID"), secret = environment_("AWS_SECRET_ACCESS_KEY");
  if (!key.empty() && !secret.empty())
    return std::optional<AwsCredentials>({key, secret, environment_("AWS_SESSION_TOKEN")});
  std::string role = environment_("AWS_ROLE_ARN"), token_file = environment_("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (token_file.empty()) {
    token_file = profile_.get("web_identity_token_file");
    if (!token_file.empty()) role = profile_.get("role_arn");
  }
  if (!role.empty() && !token_file.empty()) {
    MM_ASSIGN_OR_RETURN(AwsCredentials credentials, from_web_identity(role, token_file));
    return std::optional(std::move(credentials));
  }
  for (const char* setting : {"source_profile", "credential_process", "sso_session", "sso_start_url"})
    if (!profile_.get(setting).empty())
      return unimplemented(
          "AWS profile '" + profile_.name + "' gets its credentials by '" + setting +
          "', which is not done here; export them: eval \"$(aws configure export-credentials --profile " +
          profile_.name + " --format env)\"");
  if (!profile_.get("aws_access_key_id").empty())
    return std::optional<AwsCredentials>(
        {profile_.get("aws_access_key_id"), profile_.get("aws_secret_access_key"), profile_.get("aws_session_token")});
  MM_ASSIGN_OR_RETURN(auto container, from_container());
  if (container) return container;
  return from_machine();
}

Result<AwsCredentials> AwsCredentialsChain::from_web_identity(const std::string& role, const std::string& token_file) {
  const auto token = read_token_file(token_file);
  if (!token) return not_found("AWS_WEB_IDENTITY_TOKEN_FILE '" + token_file + "' can't be read");
  std::string session = environment_("AWS_ROLE_SESSION_NAME");
  if (session.empty()) session = "modelmill";
  std::string endpoint = environment_("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty()) endpoint = environment_("AWS_ENDPOINT_URL");
  if (endpoint.empty())
    endpoint = "https://sts." + region_ + (region_.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
  MM_ASSIGN_OR_RETURN(
      const ClientReply reply,
      ask(web_, "POST", endpoint, {{"Content-Type", "application/x-www-form-urlencoded"}},
          "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + percent_encode(role) +
              "&RoleSessionName=" + percent_encode(session) + "&WebIdentityToken=" + percent_encode(*token)));
  pugi::xml_document document;
  document.load_buffer(reply.body.data(), reply.body.size());
  if (reply.status != 200)
    return Status(Code::kUnauthenticated, "AWS does not let the web identity of '" + token_file + "' be '" + role +
                                              "': HTTP " + std::to_string(reply.status) + " " +
                                              document.select_node("//*[local-name()='Message']").node().child_value());
  const pugi::xml_node keys = document.select_node("//*[local-name()='Credentials']").node();
  AwsCredentials out{keys.child_value("AccessKeyId"), keys.child_value("SecretAccessKey"),
                     keys.child_value("SessionToken")};
  if (out.key_id.empty() || out.secret.empty())
    return Status(Code::kUnauthenticated, "the answer of " + endpoint + " holds no credentials");
  out.expires = utc_of_iso(keys.child_value("Expiration")).value_or(kNeverExpires);
  return out;
}

Result<std::optional<AwsCredentials>> AwsCredentialsChain::from_container() {
  std::string url = environment_("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (const std::string path = environment_("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty())
    url = kContainer + path;
  if (url.empty()) return std::optional<AwsCredentials>();
  std::string token = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    const auto text = read_token_file(file);
    if (!text) return not_found("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE '" + file + "' can't be read");
    token = *text;
  }
  HttpClient::Headers headers;
  if (!token.empty()) headers.emplace_back("Authorization", token);
  MM_ASSIGN_OR_RETURN(const ClientReply reply, ask(nearby_, "GET", url, std::move(headers)));
  MM_ASSIGN_OR_RETURN(AwsCredentials credentials, credentials_of_json(reply, "the container's AWS credentials"));
  return std::optional(std::move(credentials));
}

/// A machine without such a service, or without a role, has no credentials; that is no error.
Result<std::optional<AwsCredentials>> AwsCredentialsChain::from_machine() {
  if (is_true(environment_("AWS_EC2_METADATA_DISABLED"))) return std::optional<AwsCredentials>();
  std::string root = environment_("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (root.empty()) root = kMachine;
  while (root.ends_with('/')) root.pop_back();
  const auto token =
      ask(nearby_, "PUT", root + "/latest/api/token", {{"X-aws-ec2-metadata-token-ttl-seconds", "21600"}});
  if (!token.ok() || token->status != 200) return std::optional<AwsCredentials>();
  const HttpClient::Headers headers{{"X-aws-ec2-metadata-token", token->body}};
  const auto roles = ask(nearby_, "GET", root + kRolesPath, headers);
  if (!roles.ok() || roles->status != 200) return std::optional<AwsCredentials>();
  const std::string role = roles->body.substr(0, roles->body.find('\n'));
  if (role.empty()) return std::optional<AwsCredentials>();
  MM_ASSIGN_OR_RETURN(const ClientReply reply, ask(nearby_, "GET", root + kRolesPath + percent_encode(role), headers));
  MM_ASSIGN_OR_RETURN(AwsCredentials credentials, credentials_of_json(reply, "the machine's AWS role '" + role + "'"));
  return std::optional(std::move(credentials));
}

}  // namespace modelmill
