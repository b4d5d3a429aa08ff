#include "storage/google_credentials.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <utility>

#include "base/json_text.h"
#include "base/percent_text.h"
#include "storage/base64.h"
#include "storage/credential_requests.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

constexpr const char* kScope = "https://www.googleapis.com/auth/devstorage.read_only";
constexpr const char* kTokenUrl = "https://oauth2.googleapis.com/token";
constexpr int64_t kAssertionSeconds = 3600;

struct OpensslFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

/// nullopt when the text is no private key in PEM, or one that can't sign so.
std::optional<std::string> rs256(const std::string& pem, const std::string& text) {
  const std::unique_ptr<BIO, OpensslFree> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, OpensslFree> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  const std::unique_ptr<EVP_MD_CTX, OpensslFree> context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1)
    return std::nullopt;
  std::string out(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, text.size()) != 1)
    return std::nullopt;
  out.resize(size);
  return out;
}

}  // namespace

Result<std::string> service_account_assertion(const JsonFields& account, const std::string& audience, UtcTime now) {
  const int64_t seconds = std::chrono::system_clock::to_time_t(now);
  JsonWriter head, claims;
  head.begin_object()
      .field("alg", "RS256")
      .field("typ", "JWT")
      .field("kid", account.get("private_key_id"))
      .end_object();
  claims.begin_object().field("iss", account.get("client_email")).field("scope", kScope).field("aud", audience);
  claims.field("iat", seconds).field("exp", seconds + kAssertionSeconds).end_object();
  const std::string text = base64_url(head.text()) + '.' + base64_url(claims.text());
  const auto signature = rs256(account.get("private_key"), text);
  if (!signature) return invalid_argument("its 'private_key' is no RSA key in PEM");
  return text + '.' + base64_url(*signature);
}

GoogleCredentials::GoogleCredentials(Environment environment)
    : environment_(std::move(environment)),
      web_(credential_requests(environment_)),
      nearby_(nearby_credential_requests(environment_)) {}

Result<std::optional<BearerToken>> GoogleCredentials::get(UtcTime now) {
  // Emulators know nobody.
  if (!environment_("STORAGE_EMULATOR_HOST").empty()) return std::optional<BearerToken>();
  std::string path = environment_("GOOGLE_APPLICATION_CREDENTIALS");
  const bool named = !path.empty();
  if (!named) {
    std::string folder = environment_("CLOUDSDK_CONFIG");
    if (folder.empty()) folder = environment_("HOME") + "/.config/gcloud";
    path = folder + "/application_default_credentials.json";
  }
  const auto text = read_text_file(path);
  if (named && !text) return not_found("GOOGLE_APPLICATION_CREDENTIALS '" + path + "' can't be read");
  if (!text) return from_machine(now);
  MM_ASSIGN_OR_RETURN(BearerToken token, from_file(path, *text, now));
  return std::optional(std::move(token));
}

Result<BearerToken> GoogleCredentials::from_file(const std::string& path, const std::string& text, UtcTime now) {
  const std::string what = "the Google credentials in '" + path + "'";
  MM_ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::parse(text, what));
  const std::string& type = fields.get("type");
  const std::string url = fields.get("token_uri").empty() ? kTokenUrl : fields.get("token_uri");
  if (type == "service_account") {
    auto assertion = service_account_assertion(fields, url, now);
    if (!assertion.ok()) return assertion.status().with_context(what);
    return ask_for_token(web_, url, {},
                         "grant_type=" + percent_encode("urn:ietf:params:oauth:grant-type:jwt-bearer") +
                             "&assertion=" + percent_encode(*assertion),
                         what, now);
  }
  if (type == "authorized_user")
    return ask_for_token(web_, url, {},
                         "grant_type=refresh_token&client_id=" + percent_encode(fields.get("client_id")) +
                             "&client_secret=" + percent_encode(fields.get("client_secret")) +
                             "&refresh_token=" + percent_encode(fields.get("refresh_token")),
                         what, now);
  return unimplemented(what + " are of type '" + type +
                       "', which is not known here; known are service_account and authorized_user");
}

/// A machine without such a service has no credentials; that is no error.
std::optional<BearerToken> GoogleCredentials::from_machine(UtcTime now) {
  if (environment_("NO_GCE_CHECK") == "true") return std::nullopt;
  std::string host = environment_("GCE_METADATA_HOST");
  if (host.empty()) host = "metadata.google.internal";
  auto token = ask_for_token(nearby_, "http://" + host + "/computeMetadata/v1/instance/service-accounts/default/token",
                             {{"Metadata-Flavor", "Google"}}, "", "the machine's Google account", now);
  if (!token.ok()) return std::nullopt;
  return *std::move(token);
}

}  // namespace modelmill
