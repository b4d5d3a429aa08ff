#include "wire/tls_credentials.h"

#include <utility>

namespace modelmill::wire {

Result<std::shared_ptr<TlsCredentials>> TlsCredentials::load(const TlsOptions& options) {
  MM_ASSIGN_OR_RETURN(auto first, TlsContext::load(options));
  return std::shared_ptr<TlsCredentials>(new TlsCredentials(options, std::move(first)));
}

std::shared_ptr<const TlsContext> TlsCredentials::current() const {
  MutexLock lock(mutex_);
  return current_;
}

Status TlsCredentials::reload() {
  MM_ASSIGN_OR_RETURN(auto fresh, TlsContext::load(options_));
  MutexLock lock(mutex_);
  current_.swap(fresh);  // `fresh` is declared before the lock, so the old context ends after it
  return ok_status();
}

}  // namespace modelmill::wire
