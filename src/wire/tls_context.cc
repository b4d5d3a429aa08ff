#include "wire/tls_context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include "base/check.h"

namespace modelmill::wire {
namespace {

constexpr unsigned char kAlpnProtocols[] = "\x02h2\x08http/1.1";
constexpr unsigned char kSessionContext[] = "modelmill";

/// A client that names protocols gets one of ours, or none of its connection: guessing is how one protocol is read as
/// another.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, kAlpnProtocols, sizeof kAlpnProtocols - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

/// Of OpenSSL's queue the first error, which is the cause of the others.
std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "OpenSSL can't read it" : reason;
}

/// Whether the file can be read at all, which OpenSSL would tell in words of its own.
Status check_readable(const char* option, const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (fd >= 0) return ok_status();
  const std::string message = std::string(option) + ": '" + file + "' can't be read: " + std::strerror(error);
  if (error == ENOENT) return not_found(message);
  return {Code::kPermissionDenied, message + "; let the server's user read it"};
}

Status bad_file(const char* option, const std::string& file, const std::string& what) {
  return invalid_argument(std::string(option) + ": '" + file + "' " + what);
}

std::chrono::system_clock::time_point to_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

/// Keys with a password would make OpenSSL ask on the terminal.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

std::vector<std::string> TlsOptions::files() const {
  std::vector<std::string> files = {certificate, key};
  if (!client_ca.empty()) files.push_back(client_ca);
  return files;
}

TlsContext::TlsContext() : context_(SSL_CTX_new(TLS_server_method())) {
  MM_CHECK(context_ != nullptr, "out of memory");
  SSL_CTX_set_security_level(context_, 2);
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context_,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context_, 1);  // a record's head and body in one system call
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context_, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(context_, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context_, no_password);
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsOptions& options) {
  // OpenSSL writes to sockets with write(), whose broken pipes are signals.
  ::signal(SIGPIPE, SIG_IGN);
  ERR_clear_error();
  const std::shared_ptr<TlsContext> context(new TlsContext());
  const bool only_13 = options.min_version == TlsOptions::Version::k13;
  SSL_CTX_set_min_proto_version(context->context_, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  MM_RETURN_IF_ERROR(context->read_certificate(options));
  MM_RETURN_IF_ERROR(context->read_key(options));
  MM_RETURN_IF_ERROR(context->read_client_ca(options));
  return std::shared_ptr<const TlsContext>(context);
}

Status TlsContext::read_certificate(const TlsOptions& options) {
  const std::string& file = options.certificate;
  MM_RETURN_IF_ERROR(check_readable("--tls-cert", file));
  if (SSL_CTX_use_certificate_chain_file(context_, file.c_str()) != 1)
    return bad_file("--tls-cert", file, "is no usable certificate in PEM (" + openssl_reason() + ")");
  const X509* certificate = SSL_CTX_get0_certificate(context_);
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    return bad_file("--tls-cert", file, "has expired; get a new certificate");
  expires_ = to_time(X509_get0_notAfter(certificate));
  return ok_status();
}

Status TlsContext::read_key(const TlsOptions& options) {
  const std::string& file = options.key;
  MM_RETURN_IF_ERROR(check_readable("--tls-key", file));
  if (SSL_CTX_use_PrivateKey_file(context_, file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long code = ERR_peek_error();
    if (ERR_GET_LIB(code) == ERR_LIB_X509)
      return bad_file("--tls-key", file, "is not the key of the certificate '" + options.certificate + "'");
    return bad_file("--tls-key", file, "is no private key in PEM without a password (" + openssl_reason() + ")");
  }
  if (SSL_CTX_check_private_key(context_) != 1) {
    ERR_clear_error();
    return bad_file("--tls-key", file, "is not the key of the certificate '" + options.certificate + "'");
  }
  return ok_status();
}

Status TlsContext::read_client_ca(const TlsOptions& options) {
  const std::string& file = options.client_ca;
  if (file.empty()) return ok_status();
  MM_RETURN_IF_ERROR(check_readable("--tls-client-ca", file));
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(context_, file.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return bad_file("--tls-client-ca", file, "has no certificate in PEM (" + openssl_reason() + ")");
  }
  SSL_CTX_set_client_CA_list(context_, names);
  const bool required = options.client_certificate == TlsOptions::ClientCertificate::kRequire;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  return ok_status();
}

}  // namespace modelmill::wire
