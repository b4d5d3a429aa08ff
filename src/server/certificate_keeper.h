#pragma once

#include <memory>

#include "base/result.h"
#include "server/file_watcher.h"
#include "wire/tls_credentials.h"

namespace modelmill {

/// The server's TLS files: read at the start, and again whenever one of them changes. What can't be used is logged, and
/// the certificate from before stays in use. A certificate that ends soon is logged as well.
class CertificateKeeper {
 public:
  /// Reads the files and begins to watch them.
  static Result<std::unique_ptr<CertificateKeeper>> start(const wire::TlsOptions& options,
                                                          Duration interval = std::chrono::seconds(1));

  const std::shared_ptr<wire::TlsCredentials>& credentials() const { return credentials_; }

 private:
  CertificateKeeper(const wire::TlsOptions& options, Duration interval);
  void reload();
  void warn_of_its_end() const;

  std::shared_ptr<wire::TlsCredentials> credentials_;
  FileWatcher watcher_;  // last: its thread uses the others
};

/// Full days until `when`; 0 when it is past.
int64_t days_left(std::chrono::system_clock::time_point when, std::chrono::system_clock::time_point now);

}  // namespace modelmill
