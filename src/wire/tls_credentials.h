#pragma once

#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"
#include "wire/tls_context.h"

namespace modelmill::wire {

/// The TLS context that new connections get, which can be read anew while the server runs. Connections keep the one
/// they began with. Thread-safe.
class TlsCredentials {
 public:
  /// The error is that of TlsContext::load().
  static Result<std::shared_ptr<TlsCredentials>> load(const TlsOptions& options);

  std::shared_ptr<const TlsContext> current() const;
  /// Reads the files again. With an error all stays as it was.
  Status reload();
  const TlsOptions& options() const { return options_; }

 private:
  TlsCredentials(TlsOptions options, std::shared_ptr<const TlsContext> first)
      : options_(std::move(options)), current_(std::move(first)) {}

  const TlsOptions options_;
  mutable Mutex mutex_;
  std::shared_ptr<const TlsContext> current_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::wire
