#include "cli/personality/torchserve_keystore.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <strings.h>

#include <array>
#include <memory>
#include <vector>

#include "cli/personality/secret_file.h"
#include "cli/personality/torchserve_keys.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kLimit = 16 << 20;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* what) const {
    Free(what);
  }
};
void free_certificates(STACK_OF(X509) * certificates) { sk_X509_pop_free(certificates, X509_free); }

using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Pkcs12 = std::unique_ptr<PKCS12, Freed<PKCS12_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Certificates = std::unique_ptr<STACK_OF(X509), Freed<free_certificates>>;

/// Ciphers of old too, which keytool took for keystores until Java 15, where OpenSSL has them: for what is read by it
/// alone.
class Ciphers {
 public:
  Ciphers()
      : library_(::OSSL_LIB_CTX_new()),
        usual_(::OSSL_PROVIDER_load(library_, "default")),
        old_(::OSSL_PROVIDER_load(library_, "legacy")) {
    ::ERR_clear_error();
  }
  ~Ciphers() {
    if (old_ != nullptr) ::OSSL_PROVIDER_unload(old_);
    if (usual_ != nullptr) ::OSSL_PROVIDER_unload(usual_);
    ::OSSL_LIB_CTX_free(library_);
  }
  Ciphers(const Ciphers&) = delete;
  Ciphers& operator=(const Ciphers&) = delete;
  OSSL_LIB_CTX* library() const { return library_; }

 private:
  OSSL_LIB_CTX* const library_;
  OSSL_PROVIDER* const usual_;
  OSSL_PROVIDER* const old_;  // null: this OpenSSL has none
};

/// OpenSSL's last reason; forgets the others.
std::string last_reason() {
  const unsigned long error = ::ERR_peek_last_error();
  const char* const reason = ::ERR_reason_error_string(error);
  ::ERR_clear_error();
  return reason == nullptr ? "it is broken" : reason;
}

Status unreadable() {
  if (ERR_GET_REASON(::ERR_peek_last_error()) == PKCS12_R_MAC_VERIFY_FAILURE) {
    ::ERR_clear_error();
    return invalid_argument("its password is another one; say it as 'keystore_pass'");
  }
  return invalid_argument("it can't be read: " + last_reason() +
                          "; if it is encrypted in an old way, openssl pkcs12 -legacy writes its certificate and key "
                          "for 'certificate_file' and 'private_key_file'");
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<size_t>(size)};
}

/// The key's own certificate, and each that signed the one before.
std::vector<X509*> chain_of(X509* own, STACK_OF(X509) * others) {
  std::vector<X509*> chain{own};
  const int count = others == nullptr ? 0 : sk_X509_num(others);
  for (bool found = true; found && chain.size() <= static_cast<size_t>(count);) {
    found = false;
    const X509_NAME* const issuer = ::X509_get_issuer_name(chain.back());
    if (::X509_NAME_cmp(issuer, ::X509_get_subject_name(chain.back())) == 0) break;
    for (int i = 0; i < count && !found; ++i)
      if (X509* const other = sk_X509_value(others, i); ::X509_NAME_cmp(issuer, ::X509_get_subject_name(other)) == 0) {
        chain.push_back(other);
        found = true;
      }
  }
  return chain;
}

/// The value, or what TorchServe takes where there is none.
std::string value_of(const Properties& properties, std::string_view key, std::string_view otherwise = {}) {
  const auto found = properties.find(key);
  return std::string(found == properties.end() || found->second.empty() ? otherwise : std::string_view(found->second));
}

bool speaks_tls(const Properties& properties) {
  for (const char* key : {"inference_address", "management_address", "metrics_address"})
    if (::strncasecmp(value_of(properties, key).c_str(), "https:", 6) == 0) return true;
  return is_java_true(value_of(properties, "enable_grpc_ssl"));
}

}  // namespace

Result<KeystoreContent> read_keystore(std::string_view content, const std::string& password) {
  constexpr std::string_view kJks = "\xFE\xED\xFE\xED";
  if (content.starts_with(kJks))
    return invalid_argument(
        "it is a JKS, which is not read; write it anew: keytool -importkeystore -srckeystore FILE "
        "-destkeystore FILE.p12 -deststoretype PKCS12");
  const Ciphers ciphers;
  const Bio in(::BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  PKCS12* parsed = ::PKCS12_init_ex(NID_pkcs7_data, ciphers.library(), nullptr);
  if (parsed != nullptr && ::d2i_PKCS12_bio(in.get(), &parsed) == nullptr) parsed = nullptr;  // which it has freed
  const Pkcs12 store(parsed);
  if (!store) {
    ::ERR_clear_error();
    return invalid_argument("it is no PKCS12 keystore; keytool and openssl pkcs12 make one");
  }
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  if (::PKCS12_parse(store.get(), password.c_str(), &key, &certificate, &others) != 1) return unreadable();
  const Key owned_key(key);
  const Certificate owned_certificate(certificate);
  const Certificates owned_others(others);
  if (key == nullptr || certificate == nullptr) return invalid_argument("No key entry found in keystore.");
  const Bio certificates(::BIO_new(::BIO_s_mem())), keys(::BIO_new(::BIO_s_mem()));
  for (X509* const one : chain_of(certificate, others))
    if (::PEM_write_bio_X509(certificates.get(), one) != 1) return invalid_argument(last_reason());
  if (::PEM_write_bio_PKCS8PrivateKey(keys.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return invalid_argument(last_reason());
  return KeystoreContent{text_of(certificates.get()), text_of(keys.get())};
}

Result<Properties> with_keystore(Properties properties, const Variables& variables) {
  std::vector<std::string_view> names;
  for (const TorchServeKey& key : torchserve_keys()) names.push_back(key.name);
  MM_ASSIGN_OR_RETURN(const Properties said, resolve_properties(properties, names, variables));
  const std::string file = value_of(said, "keystore");
  if (file.empty() || !speaks_tls(said)) return properties;
  const std::string type = value_of(said, "keystore_type", "PKCS12");
  if (::strcasecmp(type.c_str(), "PKCS12") != 0)
    return invalid_argument(
        "'keystore_type' is '" + type +
        "', and PKCS12 alone is read; write the keystore anew: keytool -importkeystore -srckeystore " + file +
        " -destkeystore " + file + ".p12 -deststoretype PKCS12");
  const auto content = read_file(file, kLimit);
  if (!content.ok()) return content.status().with_context("'keystore'");
  const auto read = read_keystore(*content, value_of(said, "keystore_pass", "changeit"));
  if (!read.ok()) return read.status().with_context("'keystore' names '" + file + "'");
  MM_ASSIGN_OR_RETURN(properties["certificate_file"],
                      personality::keep_in_memory("certificate.pem", read->certificates));
  MM_ASSIGN_OR_RETURN(properties["private_key_file"], personality::keep_in_memory("key.pem", read->key));
  return properties;
}

}  // namespace modelmill
