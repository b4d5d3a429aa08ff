#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill::wire {

/// What TLS is made of, as files in PEM, and what it asks of clients. A value.
struct TlsOptions {
  enum class ClientCertificate {
    kRequire,  // a client without a good one is refused
    kRequest,  // one that is shown must be good; none is fine
  };
  enum class Version { k12, k13 };

  std::string certificate;  // the server's, and those between it and its root; empty: no TLS
  std::string key;          // of the first certificate, without a password
  std::string client_ca;    // who may have signed clients' certificates; empty: clients are not asked for one
  ClientCertificate client_certificate = ClientCertificate::kRequire;
  Version min_version = Version::k12;

  bool enabled() const { return !certificate.empty(); }
  /// All files that are named.
  std::vector<std::string> files() const;
};

/// The files read and checked, and all else that TLS connections of one server share. Immutable; thread-safe. Versions
/// are 1.2 and up, ciphers those that OpenSSL takes for secure (its security level 2); renegotiation and compression
/// are off, sessions resume by tickets.
class TlsContext {
 public:
  /// The error names the file, what is wrong with it, and what to do. A certificate that has expired is an error.
  static Result<std::shared_ptr<const TlsContext>> load(const TlsOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  SSL_CTX* native() const { return context_; }
  /// When the server's certificate ends.
  std::chrono::system_clock::time_point expires() const { return expires_; }

 private:
  TlsContext();
  Status read_certificate(const TlsOptions& options);
  Status read_key(const TlsOptions& options);
  Status read_client_ca(const TlsOptions& options);

  SSL_CTX* context_;
  std::chrono::system_clock::time_point expires_;
};

}  // namespace modelmill::wire
